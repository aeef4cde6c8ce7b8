package service_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/service"
)

// longLedgers gives a run whose owner's clock is an hour ahead: 60 commands with up to three events each lie behind the dedup window, a few in it.
func longLedgers(t *testing.T, piece int) (*run, *running) {
	t.Helper()
	r := newRun(t, anyBrokers(t), 1, 1)
	cfg := r.ownerConfig("one", t.TempDir())
	cfg.DedupWindow = time.Minute
	s := start(t, cfg, r.owner())
	r.give(r.orders(60, 4), 4)
	s.end()
	s = startPieces(t, cfg, piece, r.owner())
	r.callers = []*running{s} // another clock would have their commands expire
	r.give(r.orders(4, 4), 2)
	return r, s
}

// What is removed is as many events as there can be: those of whole commands, behind the window, and never one of the newest of its aggregate that
// are to be kept. The dry run says the same number and writes nothing.
func TestTrimKeepsCommandsWhole(t *testing.T) {
	for _, keep := range []int{0, 1, 4} {
		r, s := longLedgers(t, 5)
		j := r.dump(t, r.brokers)
		last, floor := map[string]uint64{}, int64(-1)
		for i := range j.Events[0] {
			e := &j.Events[0][i]
			last[e.AggregateID] = e.Revision
			if floor < 0 && e.Time.After(time.Now().Add(30*time.Minute)) {
				floor = e.Offset
			}
		}
		wanted := map[muster.EventKey]bool{}
		for i := range j.Events[0] {
			e := &j.Events[0][i]
			ofCommand := e.Revision + uint64(e.Count-1-e.Index) // the last one
			if e.Offset < floor && ofCommand+uint64(max(keep, 1)) <= last[e.AggregateID] {
				wanted[muster.EventKey{AggregateID: e.AggregateID, Revision: e.Revision}] = true
			}
		}
		if len(wanted) < 60 || floor < 0 {
			t.Fatalf("only %d events could go, before %d; the test shows nothing", len(wanted), floor)
		}
		ctx, cancel := contextFor(t)
		defer cancel()
		options := service.TrimOptions{Keep: keep, DryRun: true, OlderThan: time.Now().Add(2 * time.Hour)}
		if keep > 0 {
			options.OlderThan = time.Time{}
		}
		for range 2 {
			if done, err := s.Trim(ctx, r.group, options); err != nil || done.Events != len(wanted) || len(done.Partitions) != 1 {
				t.Errorf("keep %d: the dry run tells of %+v, %v; want %d", keep, done, err, len(wanted))
			}
		}
		if gone, mark := removedIn(t, r.brokers, r.group); len(gone) != 0 || mark != nil {
			t.Errorf("keep %d: the dry run removed %d events, %+v", keep, len(gone), mark)
		}
		if records, _ := committedIn(t, r.brokers, r.group.SnapshotTopic("")); len(records) != 5 { // of the first stop: four states and the pass
			t.Errorf("keep %d: %d records in the snapshots topic", keep, len(records))
		}
		options.DryRun = false
		if done, err := s.Trim(ctx, r.group, options); err != nil || done.Events != len(wanted) {
			t.Errorf("keep %d: %+v, %v; want %d", keep, done, err, len(wanted))
		}
		gone, mark := removedIn(t, r.brokers, r.group)
		for key := range wanted {
			if !gone[key] {
				t.Errorf("keep %d: %v was not removed", keep, key)
			}
		}
		if len(gone) != len(wanted) || mark == nil || mark.Before > floor {
			t.Errorf("keep %d: %d events removed, want %d; mark %+v, the window begins at %d", keep, len(gone), len(wanted), mark, floor)
		}
		options.DryRun = true
		if done, err := s.Trim(ctx, r.group, options); err != nil || done.Events != 0 {
			t.Errorf("keep %d: behind it there is still %+v, %v", keep, done, err)
		}
		r.verify()
		s.end()
	}
}

// The owner ends in order while it trims; who takes over goes on with the rest.
func TestTakeoverWhileTrimming(t *testing.T) {
	st := newStage(t, anyBrokers(t), 1)
	cfg := st.config()
	cfg.DedupWindow, cfg.Instance = time.Minute, "one"
	s := start(t, cfg, st.owner(nil))
	st.deposits("before", 50, 5, 4, s)
	s.end()
	midway := make(chan struct{})
	var once sync.Once
	cfg.Failpoint = func(name string) {
		if name == "trimmed" {
			once.Do(func() { close(midway) })
		}
	}
	one := startPieces(t, cfg, 7, st.owner(nil))
	other := st.config()
	other.DedupWindow, other.Instance, other.Metrics = time.Minute, "two", nil // a registry takes one
	two := startPieces(t, other, 7, st.owner(nil))
	st.deposits("late", 10, 5, 4, one, two)
	type answer struct {
		done service.Trimmed
		err  error
	}
	if len(one.Status()) == 0 || one.Status()[0].State != service.Serving {
		t.Fatalf("the first one is not the owner: %v", one.Status())
	}
	answers := make(chan answer, 1)
	go func() {
		done, err := one.Trim(st.within(), st.group, old())
		answers <- answer{done, err}
	}()
	<-midway
	one.end()
	first := <-answers
	if first.done.Events == 0 || first.done.Events == 50 || !errors.Is(first.err, service.ErrClosed) && !errors.Is(first.err, service.ErrTrimBusy) {
		t.Errorf("the first one: %+v, %v", first.done, first.err)
	}
	st.until("the other one serves", func() bool { return len(two.Status()) > 0 && two.Status()[0].State == service.Serving })
	if done, err := two.Trim(st.within(), st.group, old()); err != nil || done.Events != 50-first.done.Events {
		t.Errorf("the other one: %+v, %v, after %d", done, err, first.done.Events)
	}
	if gone, _ := st.removed(); len(gone) != 50 {
		t.Errorf("%d events removed", len(gone))
	}
	st.deposits("late", 10, 5, 4, two)
	st.complete(two)
}
