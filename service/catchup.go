package service

import (
	"context"
	"errors"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/journal"
)

var errDiverged = errors.New("store and journal differ")

// replayFrom folds the journal from a checkpoint to end. It reports true, having changed nothing, when the last event the store folded
// is not the one the journal has at its place.
//
// A few events are stored as they come. Many are folded in memory, as long as that lasts, and stored as sorted tables. Either way each
// write has the checkpoint in it, so whoever is interrupted goes on there.
func (o *owner) replayFrom(ctx context.Context, p int32, at journal.Checkpoint, end int64) (diverged bool, err error) {
	o.processor.Take(p, at.Next)
	folding, err := o.processor.Folding(p)
	if err != nil {
		return false, err
	}
	folding.RememberAll()
	r := &catchup{
		o: o, partition: p, at: at, folding: folding, bulk: o.cfg.Recovery.bulk(end - at.Next), check: at.LastEvent != "",
		progress: o.progress(p, stageJournal, end-at.Next),
	}
	from := at.Next
	if r.check {
		from = at.LastAt
	}
	next, err := r.through(ctx, from, end)
	if err == nil && end > from {
		next, err = r.readOn(ctx, next)
	}
	o.metrics.replayed.WithLabelValues(o.group.Name()).Add(float64(r.read))
	if errors.Is(err, errDiverged) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, r.store(ctx, max(next, at.Next), true)
}

func (r *catchup) through(ctx context.Context, from, end int64) (next int64, err error) {
	return consumer.ReadJournal(ctx, r.o.reader, r.partition, from, end, func(events []muster.Event) error { return r.take(ctx, events) },
		func(stuckAt int64) { r.o.unblock(ctx, r.partition, stuckAt) })
}

// readOn reads once more what came while the journal was read: whoever's transaction was open then has its marker there now, and this owner's first
// event would be taken for one behind somebody else's writing.
func (r *catchup) readOn(ctx context.Context, from int64) (next int64, err error) {
	ends, err := consumer.EndOffsets(ctx, r.o.reader, []int32{r.partition})
	if err != nil {
		return from, err
	}
	return r.through(ctx, from, max(from, ends[r.partition]))
}

// catchup is one stretch of a partition's journal on its way into the store.
type catchup struct {
	o         *owner
	partition int32
	at        journal.Checkpoint
	folding   *muster.Folding
	bulk      bool
	check     bool // the last event that the store has folded is still to be compared
	read      int
	progress  *progress
}

func (r *catchup) take(ctx context.Context, events []muster.Event) error {
	if r.check && len(events) > 0 {
		r.check = false
		if events[0].Offset == r.at.LastAt && events[0].ID != r.at.LastEvent {
			return errDiverged
		}
	}
	for len(events) > 0 && events[0].Offset < r.at.Next {
		events = events[1:]
	}
	if len(events) == 0 {
		return nil
	}
	next := events[len(events)-1].Offset + 1
	defer r.progress.at(next - r.at.Next)
	r.read += len(events)
	if !r.bulk {
		if err := r.folding.Add(events); err != nil {
			return err
		}
		return r.store(ctx, next, false)
	}
	for len(events) > 0 { // a fetch can be large; what is held in memory is looked at every so often
		some := events[:min(len(events), 1000)]
		events = events[len(some):]
		if err := r.folding.Add(some); err != nil {
			return err
		}
		if r.folding.Bytes() < r.o.cfg.Recovery.memory() {
			continue
		}
		if err := r.store(ctx, some[len(some)-1].Offset+1, false); err != nil {
			return err
		}
	}
	return nil
}

// store writes what has been folded so far.
func (r *catchup) store(ctx context.Context, next int64, last bool) error {
	changes, err := r.folding.Cut(next)
	if err != nil {
		return err
	}
	if last {
		changes.Time = r.o.clock.Now()
	}
	if r.bulk {
		err = r.o.states.Ingest(ctx, changes)
	} else {
		err = r.o.states.Store(ctx, []muster.Changes{changes})
	}
	if err == nil && !last {
		r.o.cfg.failpoint("recovering")
	}
	return err
}
