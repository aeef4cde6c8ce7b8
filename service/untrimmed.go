package service

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
)

// errTrimmedWithoutBase: the journal does not have the events before one that is there, they were trimmed, and the snapshots do not make up for it.
var errTrimmedWithoutBase = errors.New("the journal is trimmed, and there is no snapshot of what came before")

// replay does one attempt of recover, and tells whether rows that were there before are a part of what came of it. A store that is behind what was
// trimmed meets a gap: it is given up for the snapshots, which are at least as far.
func (o *owner) replay(ctx context.Context, p int32) (older bool, err error) {
	end, based, err := o.replayTo(ctx, p)
	gap, err := o.trimmed(ctx, p, end, err)
	if gap == nil {
		return !based, err
	}
	if !based {
		o.processor.Drop(p)
		o.rebuild(p, "trimmed", fmt.Errorf("the journal was trimmed up to offset %d, the store is behind that", gap.mark.Before))
		if _, err = o.reset(p, "trimmed"); err != nil {
			return false, err
		}
		end, _, err = o.replayTo(ctx, p)
		if gap, err = o.trimmed(ctx, p, end, err); gap == nil {
			return false, err
		}
	}
	return false, fmt.Errorf("%v: %w: events before offset %d were removed at %v; what stands for them was in %s[%d] before offset %d; "+
		"restore that topic and the journal as of one moment and with their offsets, or start an instance whose data directory is not behind, then restart",
		gap.at, errTrimmedWithoutBase, gap.mark.Before, gap.mark.Time, o.group.SnapshotTopic(o.cfg.Prefix), p, gap.mark.Snapshots)
}

// trimmedGap is where a recovery found that events are missing that were trimmed.
type trimmedGap struct {
	at   muster.Position // of the event behind the missing ones
	mark *muster.TrimMark
}

// trimmed tells whether a recovery failed because events are missing that were trimmed; nil when not. The error is the one that the recovery
// failed with, or says why it cannot be told.
func (o *owner) trimmed(ctx context.Context, p int32, end int64, failed error) (*trimmedGap, error) {
	fault, is := errors.AsType[*muster.FoldFault](failed)
	gap, isGap := errors.AsType[*muster.RevisionGap](failed)
	if !is || !isGap || gap.Revision <= gap.After {
		return nil, failed
	}
	// A mark lies behind the events that were there when it was written, and those next to what was removed are among them.
	found, err := consumer.ReadTrimming(ctx, o.reader, p, fault.Position.Offset, end, func(stuckAt int64) { o.unblock(ctx, p, stuckAt) })
	if err != nil {
		return nil, fmt.Errorf("%v does not follow its state; whether the journal was trimmed cannot be read: %w", fault.Position, err)
	}
	covered, err := o.states.Covered(p)
	switch {
	case err != nil:
		return nil, err
	case found.Mark == nil || gap.Behind >= found.Mark.Before, covered >= found.Mark.Pass: // with all of the base, it is another's doing
		return nil, failed
	}
	return &trimmedGap{fault.Position, found.Mark}, failed
}
