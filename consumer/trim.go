package consumer

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// Trimming is what [ReadTrimming] found.
type Trimming struct {
	// Mark is the last mark of trimming; nil when there is none.
	Mark *muster.TrimMark

	// Gone has, by aggregate, the highest revision that a tombstone removes. Brokers drop tombstones after a while.
	Gone map[string]uint64
}

// ReadTrimming reads what says about one journal partition, between the offsets from <= o < to, that events were removed. The arguments and
// errors are those of [ReadJournal]; a mark that cannot be read is [ErrMalformed].
func ReadTrimming(ctx context.Context, config JournalConfig, partition int32, from, to int64, stalled func(at int64)) (Trimming, error) {
	found := Trimming{Gone: map[string]uint64{}}
	if err := config.Validate(); err != nil {
		return found, err
	}
	topic := config.Group.JournalTopic(config.Kafka.Prefix)
	switch {
	case partition < 0 || partition >= config.Group.Partitions():
		return found, fmt.Errorf("%s has partitions 0 to %d, not %d", topic, config.Group.Partitions()-1, partition)
	case from >= to:
		return found, nil
	}
	r := &journalReader{
		config: config, log: orDiscard(config.Logger).With("group", config.Group.Name()), topic: topic, partition: partition, next: from, to: to, stalled: stalled,
		flush: func() error { return nil },
		accept: func(record *kgo.Record) error {
			if record.Attrs.IsControl() {
				return nil
			}
			mark, err := kafka.DecodeTrimMark(record, config.Group)
			if err != nil {
				return fmt.Errorf("%w: %w", ErrMalformed, err)
			}
			if mark != nil {
				found.Mark = mark
			}
			if gone, is := kafka.DecodeTombstone(record); is {
				found.Gone[gone.AggregateID] = max(found.Gone[gone.AggregateID], gone.Revision)
			}
			return nil
		},
	}
	_, err := r.run(ctx)
	return found, err
}
