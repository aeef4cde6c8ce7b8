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
	Next    int64                // offset behind the last record that was read; 0 when there is none
	Faults  []*SnapshotFault     // the last record of their key cannot be used; at most a hundred are kept

	faults map[string]*SnapshotFault // by record key, as far as the log is read
	many   []*SnapshotFault          // the first ones, when there were too many to follow them up
}

// SnapshotFault says that one record of the snapshots topic cannot be used. The function that [ReadSnapshots] was given may return one,
// too: it is noted, and the reading goes on.
type SnapshotFault struct {
	Reason string // a stable word
	Cause  error
}

// SnapshotUnreadable is the reason of records that are corrupt or of a newer format.
const SnapshotUnreadable = "unreadable"

// Error gives reason and cause.
func (f *SnapshotFault) Error() string { return f.Reason + ": " + f.Cause.Error() }

// Unwrap gives the cause.
func (f *SnapshotFault) Unwrap() error { return f.Cause }

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
// are passed over and told of in the summary, unless a later one has the same key; what it means that one is missing is for the caller to
// decide. The error is that of ctx, fn or the broker.
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
	found.Next, err = r.run(ctx)
	found.end()
	return found, err
}

const (
	maxSnapshotFaults = 10_000 // that are followed up
	shownFaults       = 100
)

func (s *SnapshotSummary) take(record *kgo.Record, group *muster.Group, fn func(muster.StoredState) error) error {
	state, pass, err := kafka.DecodeSnapshot(record, group)
	switch {
	case errors.Is(err, kafka.ErrTombstone):
	case err != nil:
		err = &SnapshotFault{Reason: SnapshotUnreadable, Cause: err}
	case pass != nil:
		s.Pass = pass
	default:
		s.Records++
		err = fn(state)
	}
	if fault, is := errors.AsType[*SnapshotFault](err); is {
		s.note(string(record.Key), fault)
		return nil
	}
	if len(s.faults) > 0 {
		delete(s.faults, string(record.Key))
	}
	if errors.Is(err, kafka.ErrTombstone) {
		return nil
	}
	return err
}

func (s *SnapshotSummary) note(key string, fault *SnapshotFault) {
	if len(s.faults) >= maxSnapshotFaults {
		if s.many == nil {
			for _, f := range s.faults {
				s.many = append(s.many, f)
			}
		}
		return
	}
	if s.faults == nil {
		s.faults = map[string]*SnapshotFault{}
	}
	s.faults[key] = fault
}

// end sums the faults up.
func (s *SnapshotSummary) end() {
	s.Faults = s.many
	if s.many == nil {
		for _, f := range s.faults {
			s.Faults = append(s.Faults, f)
		}
	}
	s.Faults = s.Faults[:min(len(s.Faults), shownFaults)]
	s.faults, s.many = nil, nil
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
