package kafka

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
)

const (
	setSegmentBytes = "segment.bytes"
	setSegmentTime  = "segment.ms"
	setMaxLag       = "max.compaction.lag.ms"
)

// ledgerTopic says what the checkpoints topic of a service must be. A shard that changes hands reads its partition from the beginning, and the
// newest segment is never compacted: so segments are small.
func ledgerTopic(prefix, service string) topicSpec {
	return topicSpec{
		name: LedgerTopic(prefix, service), partitions: LedgerPartitions, cleanup: cleanupCompact, owned: true, fixed: true,
		settings: map[string]string{
			setDirtyRatio: "0.5", setUnclean: "false", setTombstones: millis(tombstoneLife), setSegmentBytes: strconv.Itoa(16 << 20),
			setSegmentTime: millis(time.Hour), setMaxLag: millis(time.Hour),
		},
	}
}

// EnsureLedger makes sure that the checkpoints topic of a service is there and right. With create, a missing one is made. Errors are as with
// [EnsureGroup].
func EnsureLedger(ctx context.Context, client *kgo.Client, prefix, service string, create bool) error {
	return ensureNamed(ctx, client, ledgerTopic(prefix, service), service, create)
}

// EnsureTarget makes sure that a topic for others is there, and gives its partition count. With create, a missing one is made with so many
// partitions; one that exists may have any number and keep its records as long as it likes. Zero partitions: it must exist. Errors are as
// with [EnsureGroup].
func EnsureTarget(ctx context.Context, client *kgo.Client, prefix, topic string, partitions int32, create bool) (int32, error) {
	spec := topicSpec{name: prefix + topic, cleanup: cleanupDelete, foreign: true}
	if topic == "" || !topicName(spec.name) || partitions < 0 {
		return 0, &muster.Error{
			Code:    muster.InvalidArgument,
			Message: fmt.Sprintf("topic %q with %d partitions: give a name of letters, digits, dots, dashes or underscores", spec.name, partitions),
		}
	}
	found, err := ensure(ctx, client, []topicSpec{spec}, max(partitions, 1), create && partitions > 0)
	if err != nil {
		return 0, err
	}
	return found[0].partitions, nil
}
