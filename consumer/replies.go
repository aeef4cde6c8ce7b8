package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// RepliesConfig says which partition of which reply topic is read. Kafka, Service and Deliver must be set.
type RepliesConfig struct {
	// Kafka says how to reach the cluster.
	Kafka kafka.Config

	// Service names the service whose replies are read.
	Service string

	// Partition is the one this instance reads; Partitions is how many the topic has. Instances may share a partition: each passes over the
	// replies of the others.
	Partition  int32
	Partitions int32

	// Deliver gets every reply of the partition, in order, on the goroutine of Run. It must not block.
	Deliver func(*muster.Outcome)

	// Step gets every step of progress, as Deliver gets the replies, and in order with them. Nil means that they are passed over.
	Step func(*muster.Step)

	// Logger receives what is passed over. Nil means that nothing is logged.
	Logger *slog.Logger
}

// Validate returns all faults of the configuration joined into one error, or nil.
func (c RepliesConfig) Validate() error {
	faults := []error{c.Kafka.Validate()}
	if c.Service == "" {
		faults = append(faults, errors.New("consumer: Service is empty; give the name of the service whose replies are read"))
	}
	if c.Partition < 0 || c.Partition >= c.Partitions {
		faults = append(faults, fmt.Errorf("consumer: reply partition %d of %d; choose 0 up to the partition count of the reply topic",
			c.Partition, c.Partitions))
	}
	if c.Deliver == nil {
		faults = append(faults, errors.New("consumer: Deliver is nil; give the function that takes the replies"))
	}
	return errors.Join(faults...)
}

// ReplyReader reads the replies to the commands of one instance, from its own partition of its service's reply topic and without a
// consumer group.
type ReplyReader struct {
	config  RepliesConfig
	log     *slog.Logger
	topic   string
	client  *kgo.Client
	skipped atomic.Int64 // Run adds, Skipped reads
}

// OpenReplies connects and fixes the end of the partition as the place to read from. So the reply to any command sent after OpenReplies
// has returned is delivered, however long Run takes to start. The caller closes the reader.
func OpenReplies(ctx context.Context, config RepliesConfig) (*ReplyReader, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	topic := muster.ReplyTopic(config.Kafka.Prefix, config.Service)
	var end int64
	err := whenSettled(ctx, func() (err error) { end, err = endOf(ctx, config.Kafka, topic, config.Partition); return err })
	if err != nil {
		return nil, config.Kafka.Map("end offset of the reply partition", err, kafka.On(kafka.TopicResource, topic, "Read")...)
	}
	client, err := config.Kafka.Client(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {config.Partition: kgo.NewOffset().At(end)}}),
		// Replies that were deleted have no waiter any more, and one that is delivered twice finds none the second time.
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadUncommitted()), // replies are written outside of transactions
		kgo.MetadataMinAge(metadataAge),
	)
	if err != nil {
		return nil, err
	}
	return &ReplyReader{config: config, log: orDiscard(config.Logger), topic: topic, client: client}, nil
}

func endOf(ctx context.Context, config kafka.Config, topic string, partition int32) (int64, error) {
	client, err := config.Client(kgo.MetadataMinAge(metadataAge))
	if err != nil {
		return 0, err
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err != nil {
		return 0, err
	}
	return listed(ends, topic, partition)
}

// Run delivers replies until ctx ends or the reader is closed, which gives nil, or until the topic is gone. What cannot be decoded is
// counted, logged and passed over; what cannot be read now is tried again.
func (r *ReplyReader) Run(ctx context.Context) error {
	told := ""
	for {
		fetches := r.client.PollFetches(ctx)
		if ctx.Err() != nil || fetches.IsClientClosed() {
			return nil
		}
		for _, f := range fetches.Errors() {
			if errors.Is(f.Err, kerr.UnknownTopicID) {
				return fmt.Errorf("%s was deleted and made again (%w); restart the service, so that it reads the new one", r.topic, f.Err)
			}
			if text := f.Err.Error(); text != told {
				told = text
				r.log.ErrorContext(ctx, "replies cannot be read; trying again", "topic", r.topic, "partition", r.config.Partition,
					"error", r.config.Kafka.Map("read replies", f.Err, kafka.On(kafka.TopicResource, r.topic, "Read")...))
			}
			if err := pause(ctx, retryInterval); err != nil {
				return nil //nolint:nilerr // the end of ctx is the way Run is meant to end
			}
		}
		fetches.EachRecord(r.deliver)
	}
}

func (r *ReplyReader) deliver(record *kgo.Record) {
	var outcome *muster.Outcome
	var step *muster.Step
	var err error
	if kafka.IsStep(record) {
		step, err = kafka.DecodeStep(record)
	} else {
		outcome, err = kafka.DecodeReply(record)
	}
	if err != nil {
		r.skipped.Add(1)
		r.log.Warn("record in the reply topic that is no reply; passed over", "topic", record.Topic, "partition", record.Partition,
			"offset", record.Offset, "error", err)
		return
	}
	switch {
	case outcome != nil:
		r.config.Deliver(outcome)
	case r.config.Step != nil:
		r.config.Step(step)
	}
}

// Skipped gives how many records were passed over because they are no replies.
func (r *ReplyReader) Skipped() int64 { return r.skipped.Load() }

// Close ends Run and the connection. The second call does nothing.
func (r *ReplyReader) Close() { r.client.Close() }
