package consumer

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// SnapshotSummary is what [ReadSnapshots] found beside the states.
type SnapshotSummary struct {
	Pass    *muster.SnapshotPass // the last one; nil when there is none
	Records int                  // states handed over
	Bad     int                  // records that could not be read
	Fault   error                // of the first of them; it names the position
}

// SnapshotRecords tells how many records one partition of the group's snapshots topic has at most; fewer where compaction left holes.
func SnapshotRecords(ctx context.Context, config JournalConfig, partition int32) (int64, error) {
	if err := config.Validate(); err != nil {
		return 0, err
	}
	client, err := config.Kafka.Client(kgo.MetadataMinAge(metadataAge))
	if err != nil {
		return 0, err
	}
	defer client.Close()
	from, to, err := stableRange(ctx, client, config.Group.SnapshotTopic(config.Kafka.Prefix), partition)
	return to - from, err
}

// ReadSnapshots hands the states in one partition of the group's snapshots topic to fn, in the order of the log: of the states of one
// aggregate the last one counts. fn must not keep their data.
//
// It reads to the last stable offset: snapshots may lag, so what an open transaction hides is not waited for. Records that cannot be read
// are passed over and told of in the summary; what it means that one is missing is for the caller to decide. The error is that of ctx,
// fn or the broker.
func ReadSnapshots(ctx context.Context, config JournalConfig, partition int32, fn func(muster.StoredState) error) (SnapshotSummary, error) {
	var found SnapshotSummary
	if err := config.Validate(); err != nil {
		return found, err
	}
	topic := config.Group.SnapshotTopic(config.Kafka.Prefix)
	client, err := config.Kafka.Client(kgo.MetadataMinAge(metadataAge))
	if err != nil {
		return found, err
	}
	from, to, err := stableRange(ctx, client, topic, partition)
	client.Close()
	if err != nil || from >= to {
		return found, err
	}
	r := &journalReader{
		config: config, log: orDiscard(config.Logger), topic: topic, partition: partition, next: from, to: to,
		accept: func(record *kgo.Record) error {
			if record.Attrs.IsControl() {
				return nil
			}
			return found.take(record, config.Group, fn)
		},
		flush: func() error { return nil },
	}
	_, err = r.run(ctx)
	return found, err
}

func (s *SnapshotSummary) take(record *kgo.Record, group *muster.Group, fn func(muster.StoredState) error) error {
	state, pass, err := kafka.DecodeSnapshot(record, group)
	switch {
	case errors.Is(err, kafka.ErrTombstone):
	case err != nil:
		if s.Bad++; s.Fault == nil {
			s.Fault = err
		}
	case pass != nil:
		s.Pass = pass
	default:
		s.Records++
		return fn(state)
	}
	return nil
}

// stableRange gives the first offset of a partition and its last stable one.
func stableRange(ctx context.Context, client *kgo.Client, topic string, partition int32) (from, to int64, err error) {
	admin := kadm.NewClient(client)
	starts, err := admin.ListStartOffsets(ctx, topic)
	if err == nil {
		from, err = listed(starts, topic, partition)
	}
	if err != nil {
		return 0, 0, kafka.Map(fmt.Sprintf("start offset of %s[%d]", topic, partition), err)
	}
	ends, err := admin.ListCommittedOffsets(ctx, topic)
	if err == nil {
		to, err = listed(ends, topic, partition)
	}
	if err != nil {
		return 0, 0, kafka.Map(fmt.Sprintf("last stable offset of %s[%d]", topic, partition), err)
	}
	return from, to, nil
}
