package producer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/seed-3eec0498/muster/kafka"
)

// FenceLeftovers aborts what dead instances have left open on a partition of the journal, and returns the transactional ids it fenced. It is
// for a partition just taken over whose committed records stay hidden: read_committed readers stop at the first open transaction, even
// one that can never commit, until the transaction timeout.
//
// liveInstances are those that are still in the consumer group, this one or not. What they hold is left alone, as are transactions of others
// than the group's lanes, which are reported by the log. An instance that comes back in this moment loses one commit and goes on: it takes
// its id back. Fencing ends all of an id's transaction, on other partitions too.
func (p *Producer) FenceLeftovers(ctx context.Context, partition int32, liveInstances []string) ([]string, error) {
	holders, err := p.holders(ctx, partition)
	if err != nil {
		return nil, fmt.Errorf("producer: %s[%d]: %w", p.topics.journal, partition, err)
	}
	var fenced []string
	var faults []error
	for _, id := range holders {
		if !p.isLeftover(id, liveInstances) {
			continue
		}
		if err := p.initialise(ctx, id); err != nil {
			faults = append(faults, err)
			continue
		}
		p.log.Info("fenced a leftover transaction", "partition", partition, "id", id)
		fenced = append(fenced, id)
	}
	return fenced, errors.Join(faults...)
}

// holders gives the transactional ids with an undecided transaction on the partition, sorted.
func (p *Producer) holders(ctx context.Context, partition int32) ([]string, error) {
	on := kadm.TopicsSet{}
	on.Add(p.topics.journal, partition)
	open, err := p.openRanges(ctx, on)
	if err != nil || len(open) == 0 {
		return nil, p.cfg.Kafka.Map("describe producers", err, p.rights(needJournal)...)
	}
	producers := make([]int64, 0, len(open))
	for _, r := range open {
		producers = append(producers, r.ProducerID)
	}
	// Ongoing only: a transaction that is being committed or aborted is decided, and its markers are on their way.
	listed, err := kadm.NewClient(p.admin).ListTransactions(ctx, producers, []string{"Ongoing"})
	if err != nil && len(listed) == 0 {
		return nil, kafka.Map("list transactions", err)
	}
	var ids []string
	for id := range listed {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids, nil
}

func (p *Producer) isLeftover(text string, liveInstances []string) bool {
	id, ours := parseIdentity(text, p.transactionalGroup())
	if !ours {
		p.log.Warn("a foreign producer has an open transaction on the journal; find out whose it is and end it there", "id", text)
		return false
	}
	if id.instance == p.cfg.Instance { // of an earlier run with more lanes or slots
		return id.lane > p.keeper.number || id.lane < p.keeper.number && id.slot >= p.cfg.slots() || id.slot >= max(keeperSlots, p.cfg.slots())
	}
	return !slices.Contains(liveInstances, id.instance)
}
