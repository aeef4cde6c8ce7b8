package service_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
)

// gate is a handler that waits: for its context where it honours that, else for the test.
type gate struct {
	entered chan struct{} // one token per command that came in
	open    chan struct{} // closed by the test
	honours bool
}

func newGate(honours bool) *gate {
	return &gate{entered: make(chan struct{}, 1000), open: make(chan struct{}), honours: honours}
}

// owner decides deposits behind the gate.
func (g *gate) owner(st *stage) *muster.Aggregate[*account] {
	return st.owner(func(ctx context.Context, r *muster.Root[*account], in deposit) (account, error) {
		g.entered <- struct{}{}
		ended := ctx.Done()
		if !g.honours {
			ended = nil
		}
		select {
		case <-g.open:
		case <-ended:
			return account{}, ctx.Err()
		}
		st.credited.Emit(r, credited(in))
		return *r.State(), nil
	})
}

// What is in hand when Run's context ends is finished within the time to drain, and its caller gets the answer.
func TestLifeDrainFinishesWhatIsInHand(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 1)
	g := newGate(false)
	s := start(t, st.config(), g.owner(st))
	caller := start(t, callerOf(st))
	done := make(chan error, 1)
	go func() { // once: it gets its answer, or there is none
		_, err := st.deposit.Call(st.within(), caller.Client(), "acc-1", deposit{Amount: 1}, muster.CommandID("in-hand"))
		done <- err
	}()
	<-g.entered
	s.stop()
	close(g.open)
	if err := <-done; err != nil {
		t.Error(err)
	}
	s.end()
	if j := st.journal(); j.Len() != 1 {
		t.Errorf("%d events; want the one of the command in hand", j.Len())
	}
}

// A handler that does not come to an end is left behind: Run ends when its time to drain is over, not when the handler's own deadline is, and
// the command is decided by the next owner. It is nobody's fault, so it is no dead letter either.
func TestLifeDrainWithAHangingHandler(t *testing.T) {
	for name, honours := range map[string]bool{"honours its context": true, "ignores its context": false} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			st := newStage(t, kafkatest.Brokers(t), 1)
			g := newGate(honours)
			defer close(g.open)
			cfg := st.config()
			cfg.DrainTimeout, cfg.HandlerDeadline = 300*time.Millisecond, time.Hour
			s := start(t, cfg, g.owner(st))
			caller := start(t, callerOf(st))
			if _, err := st.deposit.Send(t.Context(), caller.Client(), "acc-1", deposit{Amount: 1}, muster.CommandID("hanging")); err != nil {
				t.Fatal(err)
			}
			<-g.entered
			s.stop()
			var err error
			select {
			case err = <-s.done:
			case <-st.within().Done():
				t.Fatal("Run goes on, with a DrainTimeout of 300ms")
			}
			s.done = nil
			if err == nil || !strings.Contains(err.Error(), "not drained within 300ms") {
				t.Errorf("Run: %v; want that it was not drained", err)
			}
			cfg.Metrics = nil
			next := start(t, cfg, st.owner(nil))
			if err := st.teller(caller, "acc-1", "hanging"); err != nil {
				t.Error(err)
			}
			got, err := st.balance.Call(st.within(), caller.Client(), "acc-1", ask{})
			if err != nil || got.Balance != 1 {
				t.Errorf("balance %+v, %v; want 1", got, err)
			}
			if ends := st.deadEnd(); ends != 0 {
				t.Errorf("%d dead letters; a command in hand at the end of its owner is none", ends)
			}
			_ = next
		})
	}
}

// No commands are taken in after the end of Run's context: they wait for the next owner.
func TestLifeDrainTakesNothingNew(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 1)
	cfg := st.config()
	s := start(t, cfg, st.owner(nil))
	caller := start(t, callerOf(st))
	done := make(chan struct{})
	go func() {
		defer close(done)
		st.deposits("load", 400, 4, 4, caller)
	}()
	st.until("the load runs", func() bool { return st.answered() > 50 })
	s.end()
	cfg.Metrics = nil
	next := start(t, cfg, st.owner(nil))
	<-done
	st.complete(next)
	if err := s.Healthy(); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("Healthy of the one that ended: %v", err)
	}
}
