package kafka

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-3eec0498/muster"
)

// The cleanup policies (cleanup.policy of a topic) in use.
const (
	cleanupDelete  = "delete"
	cleanupCompact = "compact"
)

// Topic settings the toolkit writes or reads.
const (
	setCleanup       = "cleanup.policy"
	setRetention     = "retention.ms"
	setMinISR        = "min.insync.replicas"
	setMaxMessage    = "max.message.bytes"
	setTimestamps    = "message.timestamp.type"
	setDirtyRatio    = "min.cleanable.dirty.ratio"
	setUnclean       = "unclean.leader.election.enable"
	setTombstones    = "delete.retention.ms"
	setCompactionLag = "min.compaction.lag.ms"
)

const (
	replyRetention = time.Hour
	tombstoneLife  = 7 * 24 * time.Hour // how long a reader of a compacted topic may be away and still see each tombstone
)

// topicSpec says what one topic must be.
type topicSpec struct {
	name       string
	partitions int32  // 0 leaves the count of an existing topic alone
	cleanup    string // must be exactly this
	owned      bool   // keyed: a changed partition count would put aggregates into other partitions
	journal    bool
	fixed      bool                     // no contract says the count
	foreign    bool                     // others read it, and say how long it keeps what: any cleanup policy will do
	settings   map[string]string        // written at creation only
	limits     map[string]time.Duration // settings in milliseconds that may be less, but not more
}

// groupTopics gives the four topics of a group: what lies in them and how long is in design.md 3.
//
// All have LogAppendTime: retention, compaction lag and the deadlines of commands then follow the brokers' clock, and a wrong clock of one
// owner cannot have its records refused or deleted early.
func groupTopics(g *muster.Group, prefix string) []topicSpec {
	compacted := map[string]string{setDirtyRatio: "0.5", setUnclean: "false", setTombstones: millis(tombstoneLife)}
	journal := compacted
	if g.Policy() == muster.KeepLatest {
		journal = map[string]string{setCompactionLag: millis(tombstoneLife)}
		for key, value := range compacted {
			journal[key] = value
		}
	}
	return []topicSpec{
		{
			name: g.CommandTopic(prefix), partitions: g.Partitions(), cleanup: cleanupDelete, owned: true,
			settings: map[string]string{setRetention: millis(g.CommandRetention())},
		},
		{name: g.JournalTopic(prefix), partitions: g.Partitions(), cleanup: cleanupCompact, owned: true, journal: true, settings: journal},
		{name: g.SnapshotTopic(prefix), partitions: g.Partitions(), cleanup: cleanupCompact, owned: true, settings: compacted},
		{
			name: g.DeadLetterTopic(prefix), partitions: g.Partitions(), cleanup: cleanupDelete, owned: true,
			settings: map[string]string{setRetention: millis(g.DeadLetterRetention())},
		},
	}
}

// replyTopic gives the reply topic of a service. Its records are addressed by partition, not hashed, so it may have any number of them.
func replyTopic(prefix, service string) topicSpec {
	return topicSpec{
		name: muster.ReplyTopic(prefix, service), cleanup: cleanupDelete,
		settings: map[string]string{setRetention: millis(replyRetention)},
	}
}

// controlTopic gives the control topic of a service: a table by key, whose one partition gives its writes an order.
func controlTopic(prefix, service string) topicSpec {
	return topicSpec{
		name: muster.ControlTopic(prefix, service), partitions: 1, cleanup: cleanupCompact,
		settings: map[string]string{setDirtyRatio: "0.5", setUnclean: "false", setTombstones: millis(tombstoneLife)},
	}
}

// erasuresTopic is the erasure ledger of a key space: its one partition gives the records an order, and every record has a key of its own, so that
// nothing is ever removed; it is compacted only in name, so that no retention applies.
func erasuresTopic(prefix, space string) topicSpec {
	return topicSpec{
		name: muster.ErasuresTopic(prefix, space), partitions: 1, cleanup: cleanupCompact, owned: true, fixed: true, journal: true,
		settings: map[string]string{setDirtyRatio: "0.5", setUnclean: "false", setTombstones: millis(tombstoneLife)},
	}
}

// creation gives all settings of a new topic with so many replicas.
func (s *topicSpec) creation(replicas int16) map[string]*string {
	all := map[string]*string{}
	set := func(key, value string) { all[key] = &value }
	for key, value := range s.settings {
		set(key, value)
	}
	set(setCleanup, s.cleanup)
	set(setTimestamps, "LogAppendTime")
	set(setMaxMessage, strconv.Itoa(maxBatchBytes))
	set(setMinISR, strconv.Itoa(minInSync(replicas)))
	return all
}

// replication is the replication factor of new topics: three where the cluster has as many brokers, else one.
func replication(brokers int) int16 {
	if brokers >= 3 {
		return 3
	}
	return 1
}

// minInSync is how many replicas must have a record before it counts as written: with three replicas two, so that the loss of one broker
// neither loses records nor stops the topic.
func minInSync(replicas int16) int {
	if replicas >= 3 {
		return 2
	}
	return 1
}

// createCommand is the shell command that creates the topic.
func (s *topicSpec) createCommand(broker string, partitions int32, replicas int16) string {
	var b strings.Builder
	fmt.Fprintf(&b, "kafka-topics.sh --bootstrap-server %s --create --topic %s --partitions %d --replication-factor %d",
		broker, s.name, partitions, replicas)
	settings := s.creation(replicas)
	keys := make([]string, 0, len(settings))
	for key := range settings {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		fmt.Fprintf(&b, " --config %s=%s", key, *settings[key])
	}
	return b.String()
}

// setCommand is the shell command that changes one setting of the topic.
func (s *topicSpec) setCommand(broker, key, value string) string {
	return fmt.Sprintf("kafka-configs.sh --bootstrap-server %s --alter --entity-type topics --entity-name %s --add-config %s=%s",
		broker, s.name, key, value)
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
