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

// SubscriberConfig says whose events are read, and what becomes of them. Kafka, Reading and Deliver must be set.
type SubscriberConfig struct {
	// Kafka says how to reach the cluster.
	Kafka kafka.Config

	// Reading says which journal is read and from where. Its filters are left to Deliver, but for the aggregates: a reader without a
	// consumer group reads only the partitions they are in.
	Reading muster.Reading

	// ConsumerGroup is the Kafka consumer group that shares the partitions and keeps what is done. Empty means none: all partitions are
	// read, and nothing is kept.
	ConsumerGroup string

	// Deliver gets every committed event of a partition in order, on one goroutine per partition, or the fault of a record that claims to be an
	// event and is none; then only the event's position is set. Nil moves the place over it. With again it is delivered once more after a
	// pause, an event with Attempt one higher. Any other error ends Run. The context ends when the partition is lost, and some time after
	// the partition is to be given up or the reading is to end.
	Deliver func(ctx context.Context, e *muster.Event, fault error) (again bool, err error)

	// Foreign hears of records that the toolkit did not write. They are passed over. It is called by several goroutines at once. Nil means
	// that they are only logged.
	Foreign func(muster.Position)

	// Lag hears, about twice a second, how many offsets of the partitions that are read lie before their high watermarks, not done. It is
	// called by one goroutine at a time. May be nil.
	Lag func(int64)

	// BufferBytes is how much memory the events of one partition may take that have arrived and are not done. Above it fetching from that
	// partition pauses; it resumes at half. What a fetch in flight brings is added. Zero means 1 MiB.
	BufferBytes int

	// SessionTimeout is how long the group waits for a silent member before its partitions go to others. Zero means 10 s.
	SessionTimeout time.Duration

	// RevokeTimeout is how long an event in hand may take when its partition goes to another member, before its context ends. It must stay
	// below the rebalance timeout of 30 s. Zero means 10 s.
	RevokeTimeout time.Duration

	// DrainTimeout is the same for the end of Run. Zero means 15 s.
	DrainTimeout time.Duration

	// SlowAfter is for how long one event may be in hand, or a buffer full, before the log says so. Zero means 10 s.
	SlowAfter time.Duration

	// Logger receives what an operator should know. Nil means that nothing is logged.
	Logger *slog.Logger
}

const (
	defaultEventBytes = 1 << 20
	defaultDrain      = 15 * time.Second

	// commitInterval bounds how long what is done waits for its commit; what lies between comes again after a crash.
	commitInterval = 500 * time.Millisecond

	defaultSlow = 10 * time.Second

	// The pause before an event is delivered again.
	againFirst = 100 * time.Millisecond
	againTop   = 30 * time.Second

	// handGrace is how long a delivery has to return when its context has ended, before a rebalance or the end of Run goes on without it.
	handGrace = time.Second
)

// Validate returns all faults of the configuration joined into one error, or nil.
func (c SubscriberConfig) Validate() error {
	faults := []error{c.Kafka.Validate(), c.Reading.Validate(c.Kafka.Prefix)}
	add := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf("consumer: "+format, args...))
		}
	}
	add(c.Deliver == nil, "Deliver is nil; give the function that takes the events")
	add(c.Reading.UntilEnd && c.ConsumerGroup != "", "UntilEnd with a consumer group; leave out one of them")
	add(c.BufferBytes < 0, "BufferBytes is %d; choose 1 or more, or 0 for %d", c.BufferBytes, defaultEventBytes)
	add(c.SessionTimeout != 0 && c.SessionTimeout < 100*time.Millisecond, "SessionTimeout is %v; choose 100 ms or more, or 0 for %v",
		c.SessionTimeout, defaultSession)
	add(c.RevokeTimeout < 0 || c.RevokeTimeout >= rebalanceTimeout, "RevokeTimeout is %v; it must be below the rebalance timeout of %v, 0 means %v",
		c.RevokeTimeout, rebalanceTimeout, defaultRevoke)
	add(c.DrainTimeout < 0, "DrainTimeout is %v; choose more than 0, or 0 for %v", c.DrainTimeout, defaultDrain)
	add(c.SlowAfter < 0, "SlowAfter is %v; choose more than 0, or 0 for %v", c.SlowAfter, defaultSlow)
	return errors.Join(faults...)
}

func (c SubscriberConfig) bufferBytes() int { return orDefault(c.BufferBytes, defaultEventBytes) }

func (c SubscriberConfig) session() time.Duration { return orDefault(c.SessionTimeout, defaultSession) }

func (c SubscriberConfig) revoke() time.Duration { return orDefault(c.RevokeTimeout, defaultRevoke) }
func (c SubscriberConfig) drain() time.Duration  { return orDefault(c.DrainTimeout, defaultDrain) }

func (c SubscriberConfig) slowAfter() time.Duration { return orDefault(c.SlowAfter, defaultSlow) }

func (c SubscriberConfig) topic() string { return c.Reading.Group.JournalTopic(c.Kafka.Prefix) }
