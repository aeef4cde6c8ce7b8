package producer

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/seed-3eec0498/muster/kafka"
)

// Mend ends what shards of this service have left hanging on a partition of the checkpoints topic, as it was decided; see [Hanging]. It is for a
// reader that does not come to the end of the partition: a claim mends what its own shard has left, and this is about the others there, some of
// which nobody may ever claim again. The ids it mended are returned.
func (l *Ledger) Mend(ctx context.Context, partition int32) (mended []string, err error) {
	on := kadm.TopicsSet{}
	on.Add(l.topic, partition)
	p := l.ground(on)
	open, err := p.openRanges(ctx, on)
	if err != nil || len(open) == 0 {
		return nil, kafka.Map("look for hanging transactions", err)
	}
	holders, err := p.holdersOf(ctx, open)
	if err != nil {
		return nil, kafka.Map("look for hanging transactions", err)
	}
	ours := l.cfg.Kafka.Prefix + l.service + "/projections/"
	for _, r := range open {
		over, known := holders[r.ProducerID]
		if !known || !strings.HasPrefix(over.TxnID, ours) || !endedBy(over, r) || slices.Contains(mended, over.TxnID) || l.holds(over.TxnID) {
			continue // undecided, somebody else's, or seen to by whoever holds it here
		}
		if err := patiently(ctx, func() error { return p.heal(ctx, over.TxnID) }); err != nil {
			return mended, fmt.Errorf("producer: %s[%d]: %w", l.topic, partition, kafka.Map("end a hanging transaction of "+over.TxnID, err))
		}
		mended = append(mended, over.TxnID)
	}
	return mended, nil
}

// holds tells whether a scribe of this process has an id.
func (l *Ledger) holds(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := range l.scribes {
		if s.slot.id == id {
			return true
		}
	}
	return false
}
