package producer

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// WriteTrim removes events from one partition of the journal: a mark and behind it their tombstones, in one transaction of the lane that
// writes snapshots, fenced as [Producer.WriteSnapshots] is. The mark must be true: before its Before, and for each of these events, the
// snapshots topic has a state that includes it. Whoever decides commands of the partition must not be at work meanwhile, and has to read the
// journal again: there are records in it that no decision wrote.
//
// The errors are those of [muster.Sink]; after none of them anything has to be undone.
func (p *Producer) WriteTrim(ctx context.Context, mark *muster.TrimMark, gone []muster.EventKey) error {
	if p.cfg.Group.Policy() == muster.KeepLatest {
		return fmt.Errorf("group %s: %w: its journal has one event per aggregate; there is nothing to trim", p.cfg.Group.Name(), muster.ErrAborted)
	}
	first, err := kafka.EncodeTrimMark(p.cfg.Group, mark, p.topics.journal)
	if err != nil {
		return fmt.Errorf("%w: %w", muster.ErrAborted, err)
	}
	records := make([]*kgo.Record, 1, len(gone)+1)
	records[0] = first
	for _, e := range gone {
		records = append(records, kafka.EncodeTombstone(e, mark.Partition, p.topics.journal))
	}
	return p.keeper.keep(ctx, mark.Partition, records, mark.Snapshots)
}

// SettleKept makes the outcome of what [Producer.WriteTrim] or [Producer.WriteSnapshots] wrote last certain, as [Lane.Settle] does for decisions.
func (p *Producer) SettleKept(ctx context.Context) error { return p.keeper.Settle(ctx) }
