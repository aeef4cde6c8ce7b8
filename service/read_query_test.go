package service_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/service"
)

// A query has seen every deposit that was answered before it was asked, and no query sees less than one that had ended before it.
func TestReadQueriesAreLinearizable(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 2)
	s := st.open()
	callers := []*running{s, start(t, callerOf(st)), start(t, callerOf(st))}
	const accounts, each = 3, 60
	var acked, asked, seen [accounts]atomic.Int64
	var writers, readers sync.WaitGroup
	stop := make(chan struct{})
	for a := range accounts {
		id := fmt.Sprint("acc-", a)
		for w := range 2 {
			writers.Go(func() {
				for range each {
					asked[a].Add(1)
					if _, err := st.deposit.Call(st.within(), callers[w].Client(), id, deposit{Amount: 1}); err != nil {
						t.Errorf("deposit: %v", err)
						return
					}
					acked[a].Add(1)
				}
			})
		}
		for r := range 2 {
			readers.Go(func() {
				for {
					least := max(acked[a].Load(), seen[a].Load())
					got, err := st.balance.Call(st.within(), callers[1+r].Client(), id, ask{})
					most := asked[a].Load()
					if err != nil || got.Balance < least || got.Balance > most {
						t.Errorf("query of %s: %+v, %v; want %d to %d", id, got, err, least, most)
						return
					}
					for old := seen[a].Load(); got.Balance > old && !seen[a].CompareAndSwap(old, got.Balance); old = seen[a].Load() {
					}
					select {
					case <-stop:
						return
					default:
					}
				}
			})
		}
	}
	writers.Wait()
	close(stop)
	readers.Wait()
	if j := st.journal(); j.Len() != accounts*2*each {
		t.Errorf("%d events; want %d, and none of a query", j.Len(), accounts*2*each)
	}
}

// Peek is what this instance has stored: which revision, up to where and when, and whether it is the owner's.
func TestReadPeek(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 2)
	s := st.open()
	a := st.owner(nil)
	empty, err := a.Peek(s, "acc-1")
	if err != nil || empty.Revision != 0 || empty.State.Balance != 0 || !empty.Owned || !empty.Position.IsZero() {
		t.Errorf("before the first event: %+v, %v", empty, err)
	}
	began := time.Now().Add(-time.Millisecond)
	var receipt muster.Receipt
	for range 3 {
		if _, err := st.deposit.Call(st.within(), s.Client(), "acc-1", deposit{Amount: 5}, muster.ReceiptTo(&receipt)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := a.Peek(s, "acc-1") // stored before the answer was sent
	if err != nil || got.Revision != 3 || got.State.Balance != 15 || got.Position != receipt.Position || !got.Owned {
		t.Errorf("peek: %+v, %v; want revision 3, 15, %v, owned", got, err, receipt.Position)
	}
	if got.Time.Before(began) || got.Time.After(time.Now().Add(time.Second)) {
		t.Errorf("peek is of %v; want about now", got.Time)
	}
	if _, err := a.Peek(s, "bad\nid"); muster.ReasonOf(err) != muster.ReasonBadID {
		t.Errorf("peek of a bad id: %v", err)
	}
	caller := start(t, callerOf(st))
	if _, err := a.Peek(caller, "acc-1"); !errors.Is(err, muster.ErrNotHeld) {
		t.Errorf("peek at a service without the group: %v; want ErrNotHeld", err)
	}
	s.end()
	if _, err := a.Peek(s, "acc-1"); err == nil {
		t.Error("peek at a service that has ended gives no error")
	}
}

// History gives the events of one aggregate in the order of their revisions, to any service, with what came along with the command.
func TestReadHistory(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 2)
	st.open()
	caller := start(t, callerOf(st))
	for i := range 20 {
		_, err := st.deposit.Call(st.within(), caller.Client(), fmt.Sprint("acc-", i%2), deposit{Amount: int64(i)},
			muster.CommandID(fmt.Sprint("h-", i)), muster.WithHeader("x-note", fmt.Append(nil, i)), muster.Correlation("talk"))
		if err != nil {
			t.Fatal(err)
		}
	}
	revision, from := uint64(0), int64(-1)
	for e, err := range caller.History(st.within(), st.group, "acc-1") {
		if err != nil {
			t.Fatal(err)
		}
		revision++
		i := 2*int(revision) - 1
		if e.Revision != revision || e.Offset <= from || e.CausationID != fmt.Sprint("h-", i) || e.ID != fmt.Sprintf("h-%d/0", i) ||
			e.CorrelationID != "talk" || len(e.Headers) != 1 || string(e.Headers[0].Value) != fmt.Sprint(i) {
			t.Errorf("event %d: %+v", revision, e.Meta)
		}
		from = e.Offset
	}
	if revision != 10 {
		t.Errorf("%d events; want 10", revision)
	}
	for e, err := range caller.History(st.within(), st.group, "acc-1") {
		if err != nil || e.Revision != 1 {
			t.Errorf("%+v, %v", e.Meta, err)
		}
		break // leaving early is no error and leaves nothing behind
	}
	for e, err := range caller.History(st.within(), st.group, "nobody") {
		t.Errorf("an aggregate without events: %+v, %v", e.Meta, err)
	}
	for _, err := range caller.History(st.within(), st.group, "bad\nid") {
		if muster.ReasonOf(err) != muster.ReasonBadID {
			t.Errorf("a bad id: %v", err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	n := 0
	for _, err := range caller.History(ended, st.group, "acc-1") {
		n++
		if !errors.Is(err, context.Canceled) {
			t.Errorf("with a context that has ended: %v", err)
		}
	}
	if n != 1 {
		t.Errorf("%d results with a context that has ended; want one error", n)
	}
}

// Ready, Healthy and Status tell one story.
func TestReadStatus(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 3)
	s := st.open()
	if err := errors.Join(s.Ready(), s.Healthy()); err != nil {
		t.Errorf("a service that serves: %v", err)
	}
	list := s.Status()
	if len(list) != 3 {
		t.Fatalf("status %+v; want three partitions", list)
	}
	for i, p := range list {
		if p.Group != st.group.Name() || p.Partition != int32(i) || p.State != service.Serving || p.Reason != "" || p.Cause != nil || time.Since(p.Since) > time.Minute {
			t.Errorf("status %+v", p)
		}
	}
	s.end()
	if err := s.Healthy(); !errors.Is(err, service.ErrClosed) {
		t.Errorf("Healthy at the end: %v; want ErrClosed", err)
	}
	for _, p := range s.Status() {
		if p.State != service.Released {
			t.Errorf("status at the end %+v; want released", p)
		}
	}
}
