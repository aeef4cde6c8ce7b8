package service

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"strings"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/internal/mutant"
	"github.com/seed-3eec0498/muster/projector"
)

// trimming removes old events from one partition of the journal. Each step is whole by itself, so it may end after any of them:
//
//	pass ─▶ read the snapshots back, compare with the store ─▶ read the journal, and for every so many events that may go:
//	    hold the partition ─▶ mark and tombstones in one transaction ─▶ recover, serve
//
// The base is committed, seen and compared before the first tombstone is written. It cannot get worse afterwards: later passes only put newer
// states over it, and whoever writes them is fenced.
type trimming struct {
	o         *owner
	s         *snapshots
	ctx       context.Context //nolint:containedctx // of the one call it lives in: what has not begun does not begin when it ends
	tenure    *tenure         // what has begun is brought to its end while it lasts
	partition int32
	options   TrimOptions
	held      projector.ReadUpTo

	base    map[string]baseState
	mark    muster.TrimMark   // as it was written last, or will be
	gone    map[string]uint64 // by aggregate: the tombstones that lie in the journal already
	some    []muster.EventKey // chosen and not removed yet
	removed int
}

// baseState is what the snapshots topic has of one aggregate.
type baseState struct {
	revision uint64
	offset   int64
	sum      uint64 // of the data
}

// trimPiece is how many events one transaction removes, unless a test wants fewer. The partition is on hold meanwhile.
const trimPiece = 20_000

// passPatience is how long a pass that was committed may stay hidden: Kafka tells of a commit before the markers are written that show it.
const passPatience = 10 * time.Second

var (
	errBaseDiffers = errors.New("the snapshots that were read back are not what the store has")
	errPassHidden  = errors.New("the pass that was written is not there")
)

func (t *trimming) run() error {
	if t.options.DryRun || mutant.TrimBeforeBase {
		to, err := t.wouldBe()
		if err != nil {
			return err
		}
		return t.remove(to)
	}
	pass, err := t.s.pass(t.ctx, t.partition, true)
	if err != nil {
		return err
	}
	t.o.cfg.failpoint("trim-pass")
	err = t.seen(pass)
	if errors.Is(err, errBaseDiffers) { // an instance with another encoding of the same states was here; all of them once more
		t.o.log.Warn("all states are written as snapshots again", "group", t.o.group.Name(), "partition", t.partition, "error", err)
		if pass, err = t.s.passAll(t.ctx, t.partition); err != nil {
			return err
		}
		err = t.seen(pass)
	}
	if err != nil {
		return fmt.Errorf("nothing was trimmed: %w", err)
	}
	t.o.cfg.failpoint("trim-base")
	return t.remove(min(pass.Answers, pass.Journal))
}

// wouldBe takes the base from the store, as a pass written now would have it, and gives the journal offset from which on events stay.
func (t *trimming) wouldBe() (to int64, err error) {
	t.base = map[string]baseState{}
	view, err := t.o.states.Changed(t.partition, 0, func(s muster.StoredState) error {
		t.base[s.AggregateID] = baseState{revision: s.Revision}
		return t.ctx.Err()
	})
	if err != nil {
		return 0, err
	}
	oldest, found, err := t.o.states.OldestAnswer(t.partition)
	if found {
		return min(oldest, view.Next), err
	}
	return view.Next, err
}

// seen is readBack once the pass is visible.
func (t *trimming) seen(pass *muster.SnapshotPass) error {
	began, again := time.Now(), pause{}
	err := t.readBack(pass)
	for errors.Is(err, errPassHidden) && time.Since(began) < passPatience && again.wait(t.ctx) {
		err = t.readBack(pass)
	}
	return err
}

// readBack reads the snapshots as whoever recovers from them would, and compares: with the pass just written, and state by state with the store.
func (t *trimming) readBack(pass *muster.SnapshotPass) error {
	t.base = map[string]baseState{}
	seed := maphash.MakeSeed()
	found, err := consumer.ReadSnapshots(t.ctx, t.o.reader, t.partition, func(s muster.StoredState) error {
		if err := t.o.processor.CheckState(t.partition, &s); err != nil {
			return &consumer.SnapshotFault{Reason: snapshotsNewerState, Cause: err}
		}
		t.base[s.AggregateID] = baseState{s.Revision, s.Offset, maphash.Bytes(seed, s.Data)}
		return nil
	})
	switch {
	case err != nil:
		return err
	case found.Pass == nil || !samePass(found.Pass, pass):
		return fmt.Errorf("%w: it reaches journal offset %d", errPassHidden, pass.Journal)
	case len(found.Faults) > 0:
		return fmt.Errorf("%w: %w", errBaseDiffers, found.Faults[0])
	}
	t.mark = muster.TrimMark{Partition: t.partition, Pass: pass.Journal, Snapshots: found.Next}
	different := 0
	_, err = t.o.states.Changed(t.partition, 0, func(s muster.StoredState) error {
		b, has := t.base[s.AggregateID]
		later := s.Offset >= pass.Journal // decided since
		switch {
		case !has && later, has && later && b.revision < s.Revision:
		case has && b == baseState{s.Revision, s.Offset, maphash.Bytes(seed, s.Data)}:
		default:
			different++
		}
		return t.ctx.Err()
	})
	if err == nil && different > 0 {
		err = fmt.Errorf("%w: %d states differ or are missing", errBaseDiffers, different)
	}
	return err
}

func samePass(a, b *muster.SnapshotPass) bool {
	return a.Journal == b.Journal && a.Answers == b.Answers && a.LastEvent == b.LastEvent && a.LastAt == b.LastAt && a.TopicID == b.TopicID && a.States == b.States
}

// remove goes over the journal up to an offset and removes what may go.
func (t *trimming) remove(to int64) error {
	if t.held.Projection != "" {
		to = min(to, t.held.Offset)
	}
	ends, err := consumer.EndOffsets(t.ctx, t.o.reader, []int32{t.partition})
	if err != nil {
		return err
	}
	stalled := func(at int64) { // the partition serves, so nothing is ended by force
		t.o.log.Info("trimming waits for an open transaction to end", "group", t.o.group.Name(), "partition", t.partition, "offset", at)
	}
	already, err := consumer.ReadTrimming(t.ctx, t.o.reader, t.partition, 0, ends[t.partition], stalled)
	if err != nil {
		return err
	}
	t.gone = already.Gone
	if already.Mark != nil {
		t.mark.Before = already.Mark.Before
	}
	_, err = consumer.ReadJournal(t.ctx, t.o.reader, t.partition, 0, to, func(events []muster.Event) error {
		for i := range events {
			e := &events[i]
			if !t.options.OlderThan.IsZero() && !e.Time.Before(t.options.OlderThan) {
				return errEnough
			}
			if e.Last() {
				t.choose(e)
			}
			if len(t.some) < t.s.piece {
				continue
			}
			if err := t.flush(); err != nil {
				return err
			}
		}
		return nil
	}, stalled)
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	return t.flush()
}

// choose takes the events of a command, of which e is the last one, when they may go: all of them or none.
func (t *trimming) choose(e *muster.Event) {
	if e.Revision+t.options.keep() > t.base[e.AggregateID].revision {
		return
	}
	first := max(e.Revision-uint64(e.Index), t.gone[e.AggregateID]+1)
	if first > e.Revision {
		return
	}
	id := strings.Clone(e.AggregateID) // of the fetch
	for revision := first; revision <= e.Revision; revision++ {
		t.some = append(t.some, muster.EventKey{AggregateID: id, Revision: revision})
	}
	t.mark.Before = max(t.mark.Before, e.Offset+1)
}

// flush removes what was chosen. The lanes know where their next events will lie, so they may not be at work on the partition, and it is read
// again afterwards, as after any other writer.
func (t *trimming) flush() error {
	if len(t.some) == 0 || t.ctx.Err() != nil {
		return context.Cause(t.ctx)
	}
	if t.options.DryRun {
		t.removed, t.some = t.removed+len(t.some), t.some[:0]
		return nil
	}
	t.tenure.turn.Lock()
	defer t.tenure.turn.Unlock()
	o, p := t.o, t.partition
	if !o.board.suspends(o.group.Name(), p, "trimming") {
		return ErrTrimBusy // something else goes on; who does that lets it serve again
	}
	o.consumer.Hold(p)
	_ = o.consumer.Quiet(t.tenure.ctx, p)
	o.awaitHands(t.tenure.ctx, p)
	if t.tenure.ctx.Err() != nil {
		return ErrTrimBusy
	}
	if !o.board.is(o.group.Name(), p, Recovering, "trimming") {
		return ErrTrimBusy // a lane has suspended the partition, and it will be recovered as soon as the turn is free
	}
	t.mark.Time = o.clock.Now()
	err := o.producer.WriteTrim(t.ctx, &t.mark, t.some)
	if err == nil {
		o.metrics.trimmed.WithLabelValues(o.group.Name()).Add(float64(len(t.some)))
		t.removed += len(t.some)
		t.some = t.some[:0]
	}
	o.cfg.failpoint("trimmed")
	again := pause{}
	for errors.Is(err, muster.ErrUnknown) && o.producer.SettleKept(t.tenure.ctx) != nil && again.wait(t.tenure.ctx) {
		continue // an undecided transaction would hide the rest of the journal from who reads it again
	}
	t.decided()
	o.processor.Drop(p)
	o.recover(t.tenure, p)
	return err
}

// decided returns when the end marker of the transaction lies in the journal. A commit is told before that (KIP-98), and a recovery that took the
// high watermark in between would have the marker for another writer's record. What goes wrong here goes wrong in the recovery, too, and is told there.
func (t *trimming) decided() {
	at, held := t.o.states.Checkpoint(t.partition)
	ends, err := consumer.EndOffsets(t.tenure.ctx, t.o.reader, []int32{t.partition})
	if err != nil || !held || at.Next >= ends[t.partition] {
		return
	}
	_, _ = consumer.ReadJournal(t.tenure.ctx, t.o.reader, t.partition, at.Next, ends[t.partition], func([]muster.Event) error { return nil },
		func(at int64) { t.o.unblock(t.tenure.ctx, t.partition, at) })
}
