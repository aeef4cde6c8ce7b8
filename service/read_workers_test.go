package service_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/mustertest"
	"github.com/seed-3eec0498/muster/service"
)

// round begins one over memory with n deposits on each of some accounts.
func round(t *testing.T, b *bank, accounts, n int, deciding func(context.Context, *muster.Root[*account], deposit) (account, error)) *muster.Round {
	t.Helper()
	p := muster.NewProcessor(b.owner(deciding).Behaviour(), muster.ProcessorConfig{Codec: muster.PlainCodec{}, States: mustertest.NewMemoryStates()})
	p.Take(0, 0)
	batch := &muster.Batch{Now: time.Now(), Attempt: 1}
	for i := range accounts * n {
		c := muster.Command{Payload: fmt.Appendf(nil, `{"Amount":%d}`, i/accounts)}
		c.ID, c.Type, c.Group, c.AggregateID, c.Offset = fmt.Sprint("c-", i), "bank.Deposit", b.group.Name(), fmt.Sprint("acc-", i%accounts), int64(i)
		batch.Commands = append(batch.Commands, c)
	}
	r, err := p.Begin(batch, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Units run side by side, never more than there are workers, and all commands of one aggregate in order.
func TestReadWorkers(t *testing.T) {
	b := newBank(t, muster.Partitions(1))
	var running, most atomic.Int64
	var mu sync.Mutex
	order := map[string][]int64{}
	meet := make(chan struct{}, 1)
	r := round(t, b, 8, 20, func(_ context.Context, r *muster.Root[*account], in deposit) (account, error) {
		n := running.Add(1)
		defer running.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		mu.Lock()
		order[r.ID()] = append(order[r.ID()], in.Amount)
		first := len(order[r.ID()]) == 1
		mu.Unlock()
		if first && most.Load() < 3 { // wait for two others, so that the bound can be seen
			select {
			case meet <- struct{}{}:
				<-meet
			case <-time.After(10 * time.Millisecond):
			}
		}
		return *r.State(), nil
	})
	w := service.NewWorkers(3, time.Minute)
	for units := r.Slice(1000); len(units) > 0; units = r.Slice(1000) {
		w.Run(t.Context(), units)
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	if most.Load() > 3 {
		t.Errorf("%d handlers at once; want 3 at most", most.Load())
	}
	for id, amounts := range order {
		if len(amounts) != 20 {
			t.Errorf("%s: %d commands; want 20", id, len(amounts))
		}
		for i, a := range amounts {
			if a != int64(i) {
				t.Errorf("%s was decided in the order %v", id, amounts)
				break
			}
		}
	}
}

// The watch gives up a handler that has run for the whole deadline, and no sooner; the command is refused, its unit goes on, and the
// goroutine that hangs ends when the handler does, touching nothing.
func TestReadWatchdog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBank(t, muster.Partitions(1))
		hang, cancelled := make(chan struct{}), make(chan struct{})
		began := time.Now()
		r := round(t, b, 1, 3, func(ctx context.Context, r *muster.Root[*account], in deposit) (account, error) {
			b.credited.Emit(r, credited{Amount: 1})
			if in.Amount == 1 {
				<-ctx.Done()
				close(cancelled)
				<-hang
			}
			return *r.State(), nil
		})
		const deadline = 200 * time.Millisecond
		w := service.NewWorkers(1, deadline)
		w.Run(t.Context(), r.Slice(10))
		if took := time.Since(began); took < deadline || took > 2*deadline {
			t.Errorf("given up after %v; want %v", took, deadline)
		}
		<-cancelled
		if w.Running() != 1 {
			t.Errorf("%d handlers hang; want 1", w.Running())
		}
		d := r.Decision()
		if len(d.Events) != 2 || len(d.Dead) != 1 || d.Dead[0].Command.ID != "c-1" || d.Dead[0].Cause.Reason != muster.ReasonOverrun {
			t.Errorf("decision %+v; want two events and the dead letter of c-1", d)
		}
		close(hang)
		w.Wait()
		if w.Running() != 0 {
			t.Errorf("%d handlers hang after the end; want none", w.Running())
		}
		if again := r.Decision(); len(again.Events) != 2 || again.Events[1].Revision != 2 {
			t.Errorf("the handler that was given up has changed the decision: %+v", again.Events)
		}
	})
}

// A handler that is slow, but within its deadline, is left alone, however many there are of them.
func TestReadWatchdogIsPatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBank(t, muster.Partitions(1))
		r := round(t, b, 1, 16, func(_ context.Context, r *muster.Root[*account], in deposit) (account, error) {
			<-time.After(800 * time.Millisecond)
			b.credited.Emit(r, credited(in))
			return *r.State(), nil
		})
		began := time.Now()
		service.NewWorkers(1, time.Second).Run(t.Context(), r.Slice(100)) // together they take more than one deadline
		if took := time.Since(began); took != 16*800*time.Millisecond {
			t.Errorf("they took %v", took)
		}
		if d := r.Decision(); len(d.Events) != 16 || len(d.Dead) != 0 {
			t.Errorf("%d events, %d handlers were given up", len(d.Events), len(d.Dead))
		}
	})
}

// A watch that was away for longer than the deadline, as on a machine that is too busy for it, does not charge that time to the handler that it
// finds then.
func TestReadWatchdogThatWasAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBank(t, muster.Partitions(1))
		r := round(t, b, 1, 8, func(_ context.Context, r *muster.Root[*account], in deposit) (account, error) {
			<-time.After(900 * time.Millisecond)
			b.credited.Emit(r, credited(in))
			return *r.State(), nil
		})
		w := service.NewWorkers(1, time.Second)
		w.SetBeat(sync.OnceFunc(func() { <-time.After(3 * time.Second) }))
		w.Run(t.Context(), r.Slice(100))
		w.Wait()
		if d := r.Decision(); len(d.Events) != 8 || len(d.Dead) != 0 {
			t.Errorf("%d events, %d handlers were given up", len(d.Events), len(d.Dead))
		}
	})
}
