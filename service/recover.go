package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/journal"
)

// recover brings the state of a partition up to the journal's high watermark, and to the erasures that are over, and serves it. It tries again until that works, the
// partition is released, or the journal holds something that cannot be folded: then the partition stops, visibly.
//
// The order matters. The assignment is told only after the group coordinator has answered the offset fetch, which waits for pending
// transactional offsets: every transaction of the owner before that can still commit is decided by then. So the high watermark taken
// now covers all it ever committed. Reading to the last stable offset would not do: an open transaction of a dead owner, which can
// never commit, hides committed records behind it until it is aborted (KAFKA-10167).
func (o *owner) recover(t *tenure, p int32) {
	ctx, began, again := t.ctx, time.Now(), pause{}
	for ctx.Err() == nil {
		older, err := o.replay(ctx, p)
		if err == nil {
			err = o.redactOlder(ctx, p, older)
		}
		if err == nil {
			o.board.set(o.group.Name(), p, Serving, "", nil)
			o.takeovers.serves(p, o.clock.Now())
			t.change.Serve(p)
			if at, held := o.states.Checkpoint(p); held {
				o.snapshots.stored([]muster.Changes{{Partition: p, Next: at.Next}})
			}
			o.metrics.recovery.WithLabelValues(o.group.Name()).Observe(time.Since(began).Seconds())
			o.log.Info("partition serves", "group", o.group.Name(), "partition", p, "recovered_in", time.Since(began))
			return
		}
		if ctx.Err() != nil {
			return
		}
		o.processor.Drop(p)
		if errors.Is(err, errTrimmedWithoutBase) {
			o.stop(p, "trimmed-without-base", err)
			return
		}
		fault, folds := errors.AsType[*muster.FoldFault](err)
		if folds && !muster.PayloadFaultOf(err).Passing() {
			o.stop(p, foldReason(fault), fault)
			return
		}
		why, broken := recoverable(err)
		if why != "" {
			o.stop(p, why, err)
			return
		}
		if broken {
			o.rebuild(p, "state", err)
			if err := o.states.Reset(p, "state"); err != nil {
				o.log.Error("the rows of a partition could not be dropped", "group", o.group.Name(), "partition", p, "error", err)
			}
		}
		if errors.Is(err, consumer.ErrMalformed) {
			o.stop(p, "decode", err)
			return
		}
		if errors.Is(err, consumer.ErrDataLoss) {
			o.stop(p, "data-loss", err)
			return
		}
		if o.states.Failed() != nil {
			o.fail(fmt.Errorf("group %s: the local store failed: %w", o.group.Name(), o.states.Failed()))
			return
		}
		o.board.set(o.group.Name(), p, Recovering, waitsFor(err), err)
		o.log.Warn("recovery failed, trying again", "group", o.group.Name(), "partition", p, "error", quiet(err))
		again.wait(ctx)
	}
}

// waitsFor gives the stable word for what a recovery that failed waits for. A full disk passes when somebody makes room; until then nothing
// is stored, and what was stored stands.
func waitsFor(err error) string {
	if errors.Is(err, journal.ErrFull) {
		return "disk-full"
	}
	if class := muster.PayloadFaultOf(err); class.Passing() {
		return class.Reason()
	}
	return "retrying"
}

// stop takes a partition out of service for good: until a restart, with a build or a journal that mends the cause.
func (o *owner) stop(p int32, why string, cause error) {
	o.board.set(o.group.Name(), p, Stopped, why, cause)
	o.metrics.stops.WithLabelValues(o.group.Name(), why).Inc()
	o.log.Error("partition stopped; mend the cause and restart the service", "group", o.group.Name(), "partition", p, "why", why, "error", quiet(cause))
}

// replayTo brings the store up to the journal's end. based tells that it began with what the snapshots topic has.
func (o *owner) replayTo(ctx context.Context, p int32) (end int64, based bool, err error) {
	at, err := o.states.Open(p)
	if err != nil {
		return 0, false, err
	}
	ends, err := consumer.EndOffsets(ctx, o.reader, []int32{p})
	if err != nil {
		return 0, false, err
	}
	end = ends[p]
	if at.Next > end {
		o.rebuild(p, "ahead", fmt.Errorf("the store is at offset %d, the journal ends at %d: acknowledged events were lost, or an older topic was restored", at.Next, end))
		if at, err = o.reset(p, "ahead"); err != nil {
			return end, false, err
		}
	}
	if at.Next == 0 {
		based = true
		if at, err = o.fromSnapshots(ctx, p, end); err != nil {
			return end, based, err
		}
	}
	diverged, err := o.replayFrom(ctx, p, at, end)
	if err != nil || !diverged {
		return end, based, err
	}
	o.rebuild(p, "diverged", fmt.Errorf("offset %d of the journal holds another event than the store has folded", at.LastAt))
	if _, err = o.reset(p, "diverged"); err != nil {
		return end, based, err
	}
	if at, err = o.fromSnapshots(ctx, p, end); err != nil {
		return end, true, err
	}
	_, err = o.replayFrom(ctx, p, at, end)
	return end, true, err
}

func (o *owner) rebuild(p int32, why string, cause error) {
	o.log.Error("local state is dropped and rebuilt from the journal", "group", o.group.Name(), "partition", p, "why", why, "error", quiet(cause))
}

func (o *owner) reset(p int32, why string) (journal.Checkpoint, error) {
	if err := o.states.Reset(p, why); err != nil {
		return journal.Checkpoint{}, err
	}
	return o.states.Open(p)
}

// pending is called while the offsets of assigned partitions stay unknown: the owner before may have died between TxnOffsetCommit and EndTxn.
func (o *owner) pending(ctx context.Context, partitions []int32) {
	for _, p := range partitions {
		o.unblock(ctx, p, -1)
	}
	if err := o.fenceDead(ctx); err != nil {
		o.log.Warn("cannot end transactions of dead instances", "group", o.group.Name(), "error", err)
	}
}
