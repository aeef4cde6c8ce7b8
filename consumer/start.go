package consumer

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// starting is where a reading of a journal begins and what lies there, per partition.
//
//	low <= from <= end, or the position asked for is not in the log
type starting struct {
	from, low, end map[int32]int64
}

// startOf asks the brokers. Latest is the last stable offset: an event in a transaction that is open now is committed later, so it counts as
// later. The end is the high watermark.
func startOf(ctx context.Context, config kafka.Config, r *muster.Reading) (starting, error) {
	client, err := config.Client(kgo.MetadataMinAge(metadataAge))
	if err != nil {
		return starting{}, err
	}
	defer client.Close()
	return startWith(ctx, kadm.NewClient(client), r.Group.JournalTopic(config.Prefix), r)
}

// startWith is startOf over a connection that is there.
func startWith(ctx context.Context, adm *kadm.Client, topic string, r *muster.Reading) (s starting, err error) {
	err = whenSettled(ctx, func() error {
		s = starting{from: map[int32]int64{}, low: map[int32]int64{}, end: map[int32]int64{}}
		return s.ask(ctx, adm, topic, r)
	})
	if err != nil {
		return s, kafka.Map("offsets of "+topic, err)
	}
	for _, p := range r.After {
		from := max(p.Offset+1, s.low[p.Partition]) // -1 stands for the beginning, which may have been trimmed
		if p.Offset >= 0 {
			from = p.Offset + 1
		}
		if from < s.low[p.Partition] || from > s.end[p.Partition] {
			return s, fmt.Errorf("%v: the log holds offsets %d to %d: %w", p, s.low[p.Partition], s.end[p.Partition], ErrDataLoss)
		}
		s.from[p.Partition] = from
	}
	return s, nil
}

func (s *starting) ask(ctx context.Context, adm *kadm.Client, topic string, r *muster.Reading) error {
	lows, err := adm.ListStartOffsets(ctx, topic)
	if err != nil {
		return err
	}
	ends, err := adm.ListEndOffsets(ctx, topic)
	if err != nil {
		return err
	}
	froms := lows
	switch r.Start {
	case muster.StartLatest:
		froms, err = adm.ListCommittedOffsets(ctx, topic)
	case muster.StartTime:
		froms, err = adm.ListOffsetsAfterMilli(ctx, r.Time.UnixMilli(), topic)
	case muster.StartEarliest:
	}
	if err != nil {
		return err
	}
	for p := range r.Group.Partitions() {
		for _, one := range []struct {
			into map[int32]int64
			all  kadm.ListedOffsets
		}{{s.low, lows}, {s.end, ends}, {s.from, froms}} {
			if one.into[p], err = listed(one.all, topic, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// JournalEnd gives, per partition, the position of the last event that can be read now; its offset is -1 where there is nothing. What is
// committed later lies behind it.
func JournalEnd(ctx context.Context, config JournalConfig) ([]muster.Position, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	s, err := startOf(ctx, config.Kafka, &muster.Reading{Group: config.Group, Start: muster.StartLatest})
	if err != nil {
		return nil, err
	}
	topic := config.Group.JournalTopic(config.Kafka.Prefix)
	all := make([]muster.Position, 0, len(s.from))
	for p := range config.Group.Partitions() {
		all = append(all, muster.Position{Topic: topic, Partition: p, Offset: s.from[p] - 1})
	}
	return all, nil
}
