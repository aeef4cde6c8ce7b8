package service

import (
	"context"
	"slices"

	"github.com/seed-3eec0498/muster/crypto"
)

// redactOlder has rows catch up with the erasures that are over for a partition: its acknowledgement stands on the ledger, or everybody's, so callers were
// told that nothing is left, but the rows of an instance that was away are from before. It is part of a recovery, because what was derived of an erased
// subject lies in clear in such rows, and nobody may see that any more. Where nothing was erased meanwhile it costs a look at the ledger; otherwise the
// journal is read once more, as for any erasure. What is not acknowledged for the partition is carried out beside the work, see [owner.erase].
//
// Rows that this recovery has made anew come from snapshots, which were replaced before anybody acknowledged, and from events that nobody can open. For
// those it is only asked whether the index knows of something.
func (o *owner) redactOlder(ctx context.Context, p int32, older bool) error {
	if o.privacy == nil {
		return nil
	}
	over, err := o.privacy.over(ctx, o.group.Name(), p)
	if err != nil {
		return err
	}
	e := &erasing{o: o, partition: p, found: map[string]bool{}, disclosed: !older}
	if err := e.owe(over); err != nil || len(e.ids) == 0 {
		return err
	}
	if err := e.hear(ctx); err != nil {
		return err
	}
	ids, some, err := e.find(ctx)
	if err != nil {
		return err
	}
	if some {
		o.board.set(o.group.Name(), p, Recovering, "erasing", nil)
		at, _ := o.states.Checkpoint(p)
		e.refolding = o.processor.Refold(p, ids)
		if err := e.read(ctx, at.Next); err != nil {
			return err
		}
		if _, err := e.put(ctx); err != nil {
			return err
		}
	}
	if !older {
		return nil // noted when all was looked through, beside the work
	}
	return o.states.Redact(ctx, p, nil, e.ids)
}

// over gives the erasures of which it was told that a partition has carried them out.
func (p *Privacy) over(ctx context.Context, group string, partition int32) (all []crypto.Erasure, err error) {
	if err := p.ledger.Sync(ctx); err != nil {
		return nil, err
	}
	duty := crypto.Duty{Service: p.s.cfg.Name, Kind: crypto.DutyGroup, Name: group, Partition: partition}
	for _, e := range p.ledger.Erasures() {
		if e.State >= crypto.ErasurePurged || e.State >= crypto.ErasureKeysDestroyed && !slices.Contains(e.Owes(duty.Service), duty) {
			all = append(all, e)
		}
	}
	return all, nil
}
