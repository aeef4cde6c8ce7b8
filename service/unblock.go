package service

import (
	"context"
	"fmt"

	"github.com/seed-3eec0498/muster/producer"
)

// unblock is called while a journal partition does not advance to its high watermark: somebody's transaction is open there. When its
// holder has left the group it can never commit, so it is fenced; else the broker ends it after the transaction timeout. One that the broker
// will never end, because it takes it for ended, is ended as it was decided.
func (o *owner) unblock(ctx context.Context, p int32, at int64) {
	members, err := o.consumer.Members(ctx)
	if err != nil {
		o.log.Warn("cannot tell who is in the group", "group", o.group.Name(), "partition", p, "error", err)
		return
	}
	healed, stuck, err := o.producer.HealHanging(ctx, p, members) // before an id is fenced: its coordinator then forgets how it ended
	if err != nil {
		o.log.Warn("cannot look for hanging transactions", "group", o.group.Name(), "partition", p, "error", err)
	}
	if at < 0 {
		alsoHealed, alsoStuck, err := o.producer.HealPending(ctx, members)
		if err != nil {
			o.log.Warn("cannot look for hanging transactions of the group's offsets", "group", o.group.Name(), "error", err)
		}
		healed, stuck = append(healed, alsoHealed...), append(stuck, alsoStuck...)
	}
	if len(stuck) > 0 {
		o.board.set(o.group.Name(), p, Recovering, "hanging-transaction", fmt.Errorf("its outcome is unknown: %v; docs/failure-modes.md says how to end it", stuck[0]))
	}
	fenced, err := o.producer.FenceLeftovers(ctx, p, members)
	if err != nil {
		o.log.Warn("cannot fence leftovers", "group", o.group.Name(), "partition", p, "error", err)
	}
	o.ended(fenced, "partition", p, "offset", at)
	if len(fenced)+len(healed)+len(stuck) == 0 {
		o.log.Info("waiting for an open transaction to end", "group", o.group.Name(), "partition", p, "offset", at)
	}
}

// hanging counts what the producer found.
func (o *owner) hanging(h producer.Hanging) {
	o.metrics.hanging.WithLabelValues(o.group.Name(), h.Outcome).Inc()
}
