package service_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/service"
)

func TestLifeRunTwice(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 1)
	s := st.open()
	if err := s.Run(t.Context()); !errors.Is(err, service.ErrClosed) {
		t.Errorf("Run beside Run: %v; want ErrClosed", err)
	}
	st.served(s, "acc-1") // the first one goes on
	s.end()
	if err := s.Run(t.Context()); !errors.Is(err, service.ErrClosed) {
		t.Errorf("Run after Run: %v; want ErrClosed", err)
	}
	if err := s.Ready(); !errors.Is(err, service.ErrClosed) {
		t.Errorf("Ready after Run: %v; want ErrClosed", err)
	}
}

func TestLifeClose(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 1)
	s, err := service.Open(t.Context(), st.config(), st.owner(nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Ready(); err == nil {
		t.Error("ready before Run")
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close before Run: %v", err)
		}
	}
	if err := s.Run(t.Context()); !errors.Is(err, service.ErrClosed) {
		t.Errorf("Run after Close: %v; want ErrClosed", err)
	}
	if _, err := st.deposit.Call(t.Context(), s.Client(), "acc-1", deposit{Amount: 1}); !errors.Is(err, muster.ErrShuttingDown) {
		t.Errorf("call after Close: %v; want ErrShuttingDown", err)
	}
	if _, err := st.deposit.Send(t.Context(), s.Client(), "acc-1", deposit{Amount: 1}); !errors.Is(err, muster.ErrShuttingDown) {
		t.Errorf("send after Close: %v; want ErrShuttingDown", err)
	}

	again := st.open() // metrics, directory and membership are free
	closed := make(chan error, 1)
	go func() { closed <- again.Close() }()
	st.served(again, "acc-1") // Close waits while Run works
	again.end()
	if err := <-closed; err != nil {
		t.Errorf("Close beside Run: %v", err)
	}
	if _, err := st.deposit.Call(t.Context(), again.Client(), "acc-1", deposit{Amount: 1}); !errors.Is(err, muster.ErrShuttingDown) {
		t.Errorf("call after Run: %v; want ErrShuttingDown", err)
	}
}

func TestLifeCallBeforeRun(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 1)
	s, err := service.Open(t.Context(), st.config(), st.owner(nil))
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	_, err = st.deposit.Call(short, s.Client(), "acc-1", deposit{Amount: 100})
	if muster.CodeOf(err) != muster.DeadlineExceeded || errors.Is(err, muster.ErrOutcomeUnknown) {
		t.Errorf("call that ends before Run: %v; want DEADLINE_EXCEEDED and a known outcome: it was not sent", err)
	}
	answered := make(chan error, 1)
	go func() {
		got, err := st.deposit.Call(st.within(), s.Client(), "acc-1", deposit{Amount: 1})
		if err == nil && got.Balance != 1 {
			err = errors.New("another balance than 1")
		}
		answered <- err
	}()
	launched(t, s)
	if err := <-answered; err != nil {
		t.Errorf("call before Run: %v", err)
	}
}

// More replicas than partitions: those without one are ready, and say where their callers' commands are handled by answering them.
func TestLifeMoreReplicasThanPartitions(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 1)
	var all []*running
	for range 3 {
		cfg := st.config()
		cfg.Metrics = nil
		all = append(all, start(t, cfg, st.owner(nil)))
	}
	serving := func() (n int) {
		for _, s := range all {
			for _, p := range s.Status() {
				if p.State == service.Serving {
					n++
				}
			}
			if s.Ready() != nil {
				return -1
			}
		}
		return n
	}
	st.until("one of three serves, all are ready", func() bool { return serving() == 1 })
	for _, s := range all {
		st.served(s, "acc-1")
		_, err := st.owner(nil).Peek(s, "acc-1")
		holds := len(s.Status()) > 0 && s.Status()[0].State == service.Serving
		if holds != (err == nil) || !holds && !errors.Is(err, muster.ErrNotHeld) {
			t.Errorf("Peek at %s: %v; it holds the partition: %v", s.Instance(), err, holds)
		}
	}
}

// sent is how many commands lie in partition 0.
func (st *stage) sent() int64 {
	st.t.Helper()
	ends, err := kadm.NewClient(st.raw).ListEndOffsets(st.within(), st.group.CommandTopic(""))
	if err != nil {
		st.t.Fatal(err)
	}
	end, _ := ends.Lookup(st.group.CommandTopic(""), 0)
	return end.Offset
}

// A caller stops waiting, or its service ends: each is told apart from a refusal and from a timeout.
func TestLifeEndsOfACall(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 1)
	caller := start(t, callerOf(st))
	owner := st.open()
	st.served(caller, "acc-1") // so that it knows the topic
	owner.end()                // the topics are there, nobody serves
	sent := st.sent()
	ctx, cancel := context.WithCancel(t.Context())
	ends := make(chan error, 2)
	go func() {
		_, err := st.deposit.Call(ctx, caller.Client(), "acc-1", deposit{Amount: 1}, muster.CommandID("cancelled"))
		ends <- err
	}()
	st.until("one call waits", func() bool { return caller.Client().Waiting() == 1 && st.sent() == sent+1 })
	cancel()
	if err := <-ends; muster.CodeOf(err) != muster.Cancelled || !errors.Is(err, context.Canceled) || !errors.Is(err, muster.ErrOutcomeUnknown) {
		t.Errorf("cancelled: %v", err)
	}
	_, err := st.deposit.Call(t.Context(), caller.Client(), "acc-1", deposit{Amount: 1}, muster.Timeout(200*time.Millisecond))
	if muster.CodeOf(err) != muster.DeadlineExceeded || !errors.Is(err, muster.ErrOutcomeUnknown) || errors.Is(err, muster.ErrExpired) {
		t.Errorf("timed out: %v", err)
	}
	go func() {
		_, err := st.deposit.Call(t.Context(), caller.Client(), "acc-1", deposit{Amount: 1})
		ends <- err
	}()
	st.until("one call waits", func() bool { return caller.Client().Waiting() == 1 })
	caller.end()
	if err := <-ends; !errors.Is(err, muster.ErrShuttingDown) || muster.CodeOf(err) != muster.Unavailable {
		t.Errorf("shutting down: %v", err)
	}
}
