package producer

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

const (
	defaultSlots              = 4
	defaultLanes              = 4
	defaultTransactionTimeout = 15 * time.Second

	minTransactionTimeout = 100 * time.Millisecond
	maxTransactionTimeout = 15 * time.Minute // transaction.max.timeout.ms of a broker left alone
	maxSlots              = 64
	maxLanes              = 256
	maxInstance           = 200
)

// The stages that [Config.Observe] is told of, in the order of a commit. Their sum is the time of the commit but for bookkeeping.
const (
	StageClaim   = "claim"   // asking under which membership the partitions are held
	StageProduce = "produce" // writing events and dead letters until the last acknowledgement
	StageOffsets = "offsets" // TxnOffsetCommit, or OffsetCommit where the decision writes nothing
	StageEnd     = "end"     // EndTxn
)

// The points of a commit at which [Config.Failpoint] is called, in order.
const (
	PointAfterFirstProduce = "after-first-produce" // one record is acknowledged, the others are not written
	PointAfterProduce      = "after-produce"       // all records are acknowledged
	PointAfterOffsets      = "after-offsets"       // the offsets have joined the transaction
	PointAfterEnd          = "after-end"           // committed, nobody told yet
)

// The points of a transaction of [Producer.WriteSnapshots] or [Producer.WriteTrim], in order.
const (
	PointKeptProduced = "kept-produced" // all records are acknowledged
	PointKeptOffsets  = "kept-offsets"  // the offset has joined the transaction
	PointKeptEnd      = "kept-end"      // committed, nobody told yet
)

// Claimer says under which membership of the consumer group the partitions are held. The consumer is one.
type Claimer interface {
	// Claim answers for all of the partitions or fails: with [muster.ErrFenced] when one of them is not owned, or not any more.
	// Membership and ownership are read together, so that a new generation is never paired with a lost partition.
	Claim(partitions []int32) (kafka.Claim, error)
}

// Config says what [Open] opens. Kafka, Group, Instance and Claims must be set.
type Config struct {
	Kafka  kafka.Config
	Group  *muster.Group
	Claims Claimer

	// Instance names this replica among those of the service, stable over restarts, 1 to 200 bytes without slashes. Two processes with
	// the same instance name fence each other.
	Instance string

	// Slots is how many transactional producers a lane uses in turn. Zero means 4. One slot costs 20 ms per commit on a real broker.
	Slots int

	// Lanes is how many lanes commit side by side. Zero means 4.
	Lanes int

	// TransactionTimeout bounds a commit, and how long the broker lets a transaction of a dead instance stay open. Zero means 15 s.
	TransactionTimeout time.Duration

	// Logger receives retries, aborts and fencings. Nil means that nothing is logged.
	Logger *slog.Logger

	// Observe is called with the time each stage of a commit took, by the goroutine that commits. It must be fast. May be nil.
	Observe func(stage string, took time.Duration)

	// OnHanging is called for each transaction that was found hanging on a partition, once it was ended there; and once for each that was
	// left alone because its outcome is unknown. Any goroutine calls it. May be nil.
	OnHanging func(Hanging)

	// Failpoint is called at the named points of a commit, for tests that kill the process there. When it is set, the first record of a
	// transaction is written alone. Nil in production.
	Failpoint func(point string)
}

// Validate returns all faults joined into one error, or nil.
func (c Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("producer: "+format, args...)) }
	if err := c.Kafka.Validate(); err != nil {
		faults = append(faults, err)
	}
	if c.Group == nil {
		fault("Group is not set; give the group whose journal is written")
	} else if err := c.Group.Validate(); err != nil {
		faults = append(faults, err)
	}
	if c.Claims == nil {
		fault("Claims is not set; give the consumer of the group")
	}
	if c.Instance == "" || len(c.Instance) > maxInstance || strings.ContainsRune(c.Instance, '/') {
		fault("Instance %q; choose 1 to %d bytes without slashes, stable over restarts", c.Instance, maxInstance)
	}
	if c.Slots < 0 || c.Slots > maxSlots {
		fault("Slots is %d; choose 1 to %d, or 0 for %d", c.Slots, maxSlots, defaultSlots)
	}
	if c.Lanes < 0 || c.Lanes > maxLanes {
		fault("Lanes is %d; choose 1 to %d, or 0 for %d", c.Lanes, maxLanes, defaultLanes)
	}
	if t := c.TransactionTimeout; t != 0 && (t < minTransactionTimeout || t > maxTransactionTimeout) {
		fault("TransactionTimeout is %v; choose %v to %v, or 0 for %v", t, minTransactionTimeout, maxTransactionTimeout, defaultTransactionTimeout)
	}
	return errors.Join(faults...)
}

func (c *Config) slots() int {
	if c.Slots == 0 {
		return defaultSlots
	}
	return c.Slots
}

func (c *Config) lanes() int {
	if c.Lanes == 0 {
		return defaultLanes
	}
	return c.Lanes
}

func (c *Config) transactionTimeout() time.Duration {
	if c.TransactionTimeout == 0 {
		return defaultTransactionTimeout
	}
	return c.TransactionTimeout
}

func (c *Config) logger() *slog.Logger {
	if c.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Logger
}

func (c *Config) observe(stage string, began time.Time) {
	if c.Observe != nil {
		c.Observe(stage, time.Since(began))
	}
}

func (c *Config) failpoint(point string) {
	if c.Failpoint != nil {
		c.Failpoint(point)
	}
}
