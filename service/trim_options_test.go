package service_test

import (
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
