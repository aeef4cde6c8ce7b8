package kafka

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// KeyPartitions is how many partitions a key topic has, for life: a subject's keys lie where its reference says.
const KeyPartitions = 12

const (
	keySegmentTime = 10 * time.Minute
	keyMaxLag      = time.Hour
	keyDirtyRatio  = "0.01"
)

// KeyTopic gives the topic of the wrapped keys of a key space, which several services may share.
func KeyTopic(prefix, space string) string { return prefix + space + ".keys" }

// keyTopics says what the topics of a key space must be. What is overwritten in the key topic has to be gone within an hour or so: the newest segment is
// never compacted, so it is a short one, and the cleaner may not wait for more to do.
func keyTopics(prefix, space string) []topicSpec {
	return []topicSpec{
		{
			name: KeyTopic(prefix, space), partitions: KeyPartitions, cleanup: cleanupCompact, owned: true, fixed: true, journal: true,
			settings: map[string]string{
				setDirtyRatio: keyDirtyRatio, setUnclean: "false", setTombstones: millis(tombstoneLife), setSegmentTime: millis(keySegmentTime), setMaxLag: millis(keyMaxLag),
			},
			limits: map[string]time.Duration{setSegmentTime: keySegmentTime, setMaxLag: keyMaxLag},
		},
		erasuresTopic(prefix, space),
	}
}

// EnsureKeys makes sure that the topics of a key space are there and right. With create, missing ones are made: never do that where keys existed before and
// are missing now. Errors are as with [EnsureGroup].
func EnsureKeys(ctx context.Context, client *kgo.Client, prefix, space string, create bool) error {
	for _, spec := range keyTopics(prefix, space) {
		if err := ensureNamed(ctx, client, spec, space, create); err != nil {
			return err
		}
	}
	return nil
}

// checkLimits refuses a topic whose settings let overwritten keys lie for longer than is promised.
func (f *foundTopic) checkLimits() error {
	for setting, limit := range f.spec.limits {
		got, err := strconv.ParseInt(f.settings[setting], 10, 64)
		if err != nil || got <= limit.Milliseconds() {
			continue // or the broker does not report it
		}
		return f.refuse(ReasonSlowCleaning, fmt.Sprintf("%s=%d, so that destroyed keys lie in it for longer", setting, got), "at most "+millis(limit),
			"run "+f.spec.setCommand(f.broker, setting, millis(limit)))
	}
	return nil
}
