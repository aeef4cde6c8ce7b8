package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// Config says whose commands are consumed, and how. Kafka, Group and Instance must be set; every other zero value means its default.
type Config struct {
	// Kafka says how to reach the cluster.
	Kafka kafka.Config

	// Group is the group whose commands are consumed.
	Group *muster.Group

	// ConsumerGroup is the Kafka consumer group that all replicas of the owner share. Empty means prefix + group name. Two fleets that own
	// the same group under two names are not fenced against each other by the broker.
	ConsumerGroup string

	// Service names whose replicas share the consumer group. Two services that claim one group are told apart by it, and the later one is
	// refused. Empty means that nobody looks.
	Service string

	// Instance names this replica among the others (static membership, KIP-345): the same after a restart, and used by one process at a
	// time. Of two processes with one instance name the younger one goes on and the older one's Run ends.
	Instance string

	// Lanes is how many lanes there are at most, 1 to 64. Zero means 4.
	Lanes int

	// BatchRecords and BatchBytes bound what one Poll hands out. BatchBytes counts keys, values and headers; a single command above it is
	// handed out alone. Zero means 5,000 records and 4 MiB.
	BatchRecords int
	BatchBytes   int

	// Narrow makes every Work hold commands of one partition only, so that several who poll a lane work side by side and a slow command
	// holds up its partition only.
	Narrow bool

	// BufferBytes is how much memory the commands of one partition may take that have arrived and are not done yet. Above it fetching from
	// that partition pauses; it resumes at half. What a fetch in flight brings is added, so the true bound is one fetch higher: 2 MiB as
	// sent, 64 MiB per batch when decompressed (package kafka sets that limit). Zero means 4 MiB.
	BufferBytes int

	// SessionTimeout is how long the group waits for a silent member before its partitions go to others. The broker bounds it by
	// group.min.session.timeout.ms. Zero means 10 s.
	SessionTimeout time.Duration

	// RevokeTimeout bounds how long a rebalance waits for [Change.Done]. It must stay below the rebalance timeout of 30 s. Zero means 10 s.
	RevokeTimeout time.Duration

	// MaxWaiting is how many commands of a partition may wait for another try, 1 to [muster.MaxWaiting]. While so many wait, no further command
	// of that partition is handed out. Zero means the most.
	MaxWaiting int

	// Now is the clock by which waiting commands are due; it must be that of the batches. Nil means time.Now.
	Now func() time.Time

	// OnFault hears of everything that keeps commands of a partition from being handed out as they were written: a batch that decompresses
	// to more than 64 MiB, a corrupt one, commands deleted before they were handled, a lost right to read. Offset is -1 where there is
	// none, partition is -1 where the whole group membership is concerned. The error is told once, not at every retry. It is called by
	// one goroutine at a time and must not block. Nil means that faults are only logged.
	OnFault func(topic string, partition int32, offset int64, err error)

	// OnPending hears of partitions that are assigned but whose committed offsets stay unknown, because a transaction of the owner before
	// may still move them; every second while that lasts. If that owner is dead, only its transaction timeout or who fences it ends the wait.
	// It is called by one goroutine at a time; its context ends with Run. Nil means that the wait is sat out.
	OnPending func(ctx context.Context, partitions []int32)

	// Logger receives what happens to the membership and to partitions. Nil means that nothing is logged.
	Logger *slog.Logger
}

const (
	defaultLanes        = 4
	maxLanes            = 64
	defaultBatchRecords = 5000
	defaultBatchBytes   = 4 << 20
	defaultBufferBytes  = 4 << 20
	defaultSession      = 10 * time.Second
	defaultRevoke       = 10 * time.Second

	// rebalanceTimeout is how long the group waits for a member to join again.
	rebalanceTimeout = 30 * time.Second

	// A member that is asked to heartbeat four times per session survives the loss of three of them.
	heartbeatsPerSession = 4

	// fetchWait bounds how long a fetch waits at the broker. One that waits for other partitions holds up a partition that was just
	// assigned or resumed, so it is short.
	fetchWait = 250 * time.Millisecond

	// metadataAge lets a moved leader be noticed after this long; kgo's default is five seconds.
	metadataAge = 50 * time.Millisecond

	fetchBytes          = 8 << 20 // of one response
	fetchPartitionBytes = 1 << 20 // of one partition in a response
)

// Validate returns all faults of the configuration joined into one error, or nil.
func (c Config) Validate() error {
	faults := []error{c.Kafka.Validate()}
	add := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf("consumer: "+format, args...))
		}
	}
	if c.Group == nil {
		add(true, "Group is missing; give the group whose commands are to be consumed")
	} else {
		faults = append(faults, c.Group.Validate())
	}
	add(c.Instance == "", "Instance is empty; give each replica a name that survives its restart, such as the pod's name")
	add(c.Lanes < 0 || c.Lanes > maxLanes, "%d Lanes; choose 1 to %d, or 0 for %d", c.Lanes, maxLanes, defaultLanes)
	add(c.BatchRecords < 0, "BatchRecords is %d; choose 1 or more, or 0 for %d", c.BatchRecords, defaultBatchRecords)
	add(c.BatchBytes < 0, "BatchBytes is %d; choose 1 or more, or 0 for %d", c.BatchBytes, defaultBatchBytes)
	add(c.BufferBytes < 0, "BufferBytes is %d; choose 1 or more, or 0 for %d", c.BufferBytes, defaultBufferBytes)
	add(c.MaxWaiting < 0 || c.MaxWaiting > muster.MaxWaiting, "MaxWaiting is %d; choose 1 to %d, or 0 for the most", c.MaxWaiting, muster.MaxWaiting)
	add(c.SessionTimeout != 0 && c.SessionTimeout < 100*time.Millisecond, "SessionTimeout is %v; choose 100 ms or more, or 0 for %v",
		c.SessionTimeout, defaultSession)
	add(c.RevokeTimeout < 0 || c.RevokeTimeout >= rebalanceTimeout, "RevokeTimeout is %v; it must be below the rebalance timeout of %v, 0 means %v",
		c.RevokeTimeout, rebalanceTimeout, defaultRevoke)
	return errors.Join(faults...)
}

func (c Config) consumerGroup() string {
	if c.ConsumerGroup != "" {
		return c.ConsumerGroup
	}
	return c.Kafka.Prefix + c.Group.Name()
}

func (c Config) lanes() int               { return orDefault(c.Lanes, defaultLanes) }
func (c Config) batchRecords() int        { return orDefault(c.BatchRecords, defaultBatchRecords) }
func (c Config) batchBytes() int          { return orDefault(c.BatchBytes, defaultBatchBytes) }
func (c Config) bufferBytes() int         { return orDefault(c.BufferBytes, defaultBufferBytes) }
func (c Config) maxWaiting() int          { return orDefault(c.MaxWaiting, muster.MaxWaiting) }
func (c Config) session() time.Duration   { return orDefault(c.SessionTimeout, defaultSession) }
func (c Config) revoke() time.Duration    { return orDefault(c.RevokeTimeout, defaultRevoke) }
func (c Config) heartbeat() time.Duration { return c.session() / heartbeatsPerSession }
func (c Config) logger() *slog.Logger     { return orDiscard(c.Logger) }

func (c Config) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

func orDefault[T int | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

func orDiscard(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}
