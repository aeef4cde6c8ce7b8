package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/mutant"
	"github.com/seed-3eec0498/muster/kafka"
)

// stallInterval is how long a reader of the journal waits for progress before it says that there is none.
const stallInterval = 250 * time.Millisecond

// JournalConfig says whose journal is read.
type JournalConfig struct {
	// Kafka says how to reach the cluster.
	Kafka kafka.Config

	// Group is the group whose journal is read.
	Group *muster.Group

	// Foreign hears of records that the toolkit did not write. They are passed over. It is called by the goroutine that reads. Nil means
	// that they are only logged.
	Foreign func(muster.Position)

	// Logger receives what is passed over. Nil means that nothing is logged.
	Logger *slog.Logger
}

// Validate returns all faults of the configuration joined into one error, or nil.
func (c JournalConfig) Validate() error {
	faults := []error{c.Kafka.Validate()}
	if c.Group == nil {
		faults = append(faults, errors.New("consumer: Group is missing; give the group whose journal is to be read"))
	} else {
		faults = append(faults, c.Group.Validate())
	}
	return errors.Join(faults...)
}

// EndOffsets gives the high watermark of each of the group's journal partitions asked for: the offset after the last record that every
// in-sync replica has, be its transaction decided or not. Recovery reads up to there, not to the last stable offset, which an open
// transaction of a dead owner can hold below records that are committed (KAFKA-10167).
func EndOffsets(ctx context.Context, config JournalConfig, partitions []int32) (map[int32]int64, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	client, err := config.Kafka.Client(kgo.MetadataMinAge(metadataAge))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	topic := config.Group.JournalTopic(config.Kafka.Prefix)
	list := kadm.NewClient(client).ListEndOffsets
	if mutant.RecoveryToStable {
		list = kadm.NewClient(client).ListCommittedOffsets
	}
	ends, err := list(ctx, topic)
	if err != nil {
		return nil, config.Kafka.Map("end offsets of "+topic, err, kafka.On(kafka.TopicResource, topic, "Read")...)
	}
	found := make(map[int32]int64, len(partitions))
	for _, partition := range partitions {
		if found[partition], err = listed(ends, topic, partition); err != nil {
			return nil, config.Kafka.Map("end offset", err, kafka.On(kafka.TopicResource, topic, "Read")...)
		}
	}
	return found, nil
}

// ReadJournal hands the committed events of one journal partition with offsets from <= o < to to fn, in log order and in pieces as they
// arrive; fn must not keep the slice. to is what [EndOffsets] gave. It returns the offset to read next, which is to when all has been read.
//
// What hides events is passed over without a word: aborted transactions, markers, tombstones, what compaction took. While an open
// transaction hides the rest, stalled is called with the offset that cannot be passed, every 250 ms without progress; nil is allowed.
//
// The error is that of ctx or fn, [ErrDataLoss] when from is not in the log, or names the position of a record that cannot be read; the
// events before it have been handed over.
func ReadJournal(ctx context.Context, config JournalConfig, partition int32, from, to int64,
	fn func([]muster.Event) error, stalled func(at int64),
) (next int64, err error) {
	if err := config.Validate(); err != nil {
		return from, err
	}
	topic := config.Group.JournalTopic(config.Kafka.Prefix)
	switch {
	case partition < 0 || partition >= config.Group.Partitions():
		return from, fmt.Errorf("%s has partitions 0 to %d, not %d", topic, config.Group.Partitions()-1, partition)
	case from == to:
		return to, nil
	case from > to || from < 0:
		return from, fmt.Errorf("%s[%d]: offset %d of a log that ends at %d: %w", topic, partition, from, to, ErrDataLoss)
	}
	r := &journalReader{
		config: config, log: orDiscard(config.Logger).With("group", config.Group.Name()), topic: topic, partition: partition, next: from, to: to,
		fn: fn, stalled: stalled,
	}
	r.accept, r.flush = r.decode, r.handOver
	return r.run(ctx)
}

// run connects and reads.
func (r *journalReader) run(ctx context.Context) (next int64, err error) {
	client, err := r.config.Kafka.Client(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{r.topic: {r.partition: kgo.NewOffset().At(r.next)}}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),    // so that the position moves over markers and what was aborted before them
		kgo.FetchMaxWait(fetchWait), // a fetch that waits for an open transaction should not outlive it by long
		kgo.MetadataMinAge(metadataAge),
	)
	if err != nil {
		return r.next, err
	}
	defer client.Close()
	r.client = client
	return r.read(ctx)
}

// journalReader reads one stretch of one partition, of the journal or of another topic of the group.
//
//	from <= next <= to;  everything below next has been handed over or is nothing to hand over
type journalReader struct {
	config    JournalConfig
	log       *slog.Logger
	client    *kgo.Client
	topic     string
	partition int32
	next, to  int64
	accept    func(*kgo.Record) error // takes one record; an error ends the reading before it
	flush     func() error            // hands over what was accepted since
	fn        func([]muster.Event) error
	stalled   func(int64)
	events    []muster.Event
}

func (r *journalReader) read(ctx context.Context) (int64, error) {
	for r.next < r.to {
		poll, cancel := context.WithTimeout(ctx, stallInterval)
		fetches := r.client.PollFetches(poll)
		cancel()
		if err := context.Cause(ctx); err != nil {
			return r.next, err
		}
		if errors.Is(fetches.Err0(), context.DeadlineExceeded) {
			if err := r.stall(ctx); err != nil {
				return r.next, err
			}
			continue
		}
		for _, f := range fetches.Errors() {
			if err := r.fault(f.Err); err != nil {
				return r.next, err
			}
		}
		var err error
		fetches.EachPartition(func(f kgo.FetchTopicPartition) {
			if err == nil && f.Topic == r.topic && f.Partition == r.partition {
				err = r.take(f)
			}
		})
		if err != nil {
			return r.next, err
		}
	}
	return r.next, nil
}

// piece is how many events are handed over at once: decoded, they take ten times the memory of a fetch.
const piece = 2000

// take hands over what one fetch brought.
func (r *journalReader) take(f kgo.FetchTopicPartition) error {
	if f.LogStartOffset > r.next {
		return r.lost(fmt.Errorf("the log starts at %d", f.LogStartOffset))
	}
	next, bad := r.next, error(nil)
	for _, record := range f.Records {
		if record.Offset >= r.to {
			next = r.to
			break
		}
		if bad = r.accept(record); bad != nil {
			next = record.Offset
			break
		}
		next = record.Offset + 1
		if len(r.events) < piece {
			continue
		}
		if err := r.flush(); err != nil {
			return err
		}
		r.next = next
	}
	if err := r.flush(); err != nil {
		return err
	}
	r.next = max(r.next, next)
	return bad
}

func (r *journalReader) handOver() error {
	defer func() { r.events = r.events[:0] }()
	if len(r.events) == 0 {
		return nil
	}
	return r.fn(r.events)
}

func (r *journalReader) decode(record *kgo.Record) error {
	if record.Attrs.IsControl() {
		return nil
	}
	event, err := kafka.DecodeEvent(record, r.config.Group)
	switch {
	case err == nil:
		r.events = append(r.events, event)
	case errors.Is(err, kafka.ErrTombstone):
	case errors.Is(err, kafka.ErrForeign):
		at := muster.Position{Topic: record.Topic, Partition: record.Partition, Offset: record.Offset}
		r.log.Warn("record in the journal that the toolkit did not write; passed over", "partition", at.Partition, "offset", at.Offset)
		if r.config.Foreign != nil {
			r.config.Foreign(at)
		}
	default:
		return fmt.Errorf("%w: %w", ErrMalformed, err) // it names the position
	}
	return nil
}

// fault tells which errors end the reading. What kgo gives up on, so does it.
func (r *journalReader) fault(err error) error {
	_, cut := errors.AsType[*kgo.ErrDataLoss](err)
	if cut || errors.Is(err, kerr.OffsetOutOfRange) {
		return r.lost(err)
	}
	return r.config.Kafka.Map(fmt.Sprintf("reading %s[%d]@%d", r.topic, r.partition, r.next), err, kafka.On(kafka.TopicResource, r.topic, "Read")...)
}

func (r *journalReader) lost(cause error) error {
	return fmt.Errorf("%s[%d]@%d: %w: %w", r.topic, r.partition, r.next, ErrDataLoss, cause)
}
