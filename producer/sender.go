package producer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

const (
	defaultCommandRoom     = 50_000
	defaultReplyRoom       = 50_000
	defaultDeliveryTimeout = 30 * time.Second

	// bufferedBytes bounds what waits for acknowledgement, commands and replies together.
	bufferedBytes = 256 << 20
)

// SenderConfig is what [OpenSender] needs. The zero value sends to the default broker.
type SenderConfig struct {
	Kafka kafka.Config

	// CommandRoom is how many commands may wait for their acknowledgement; a further SendCommands waits for room. Zero means 50,000.
	CommandRoom int

	// ReplyRoom is how many replies may wait for theirs; further ones are dropped. Zero means 50,000.
	ReplyRoom int

	// DeliveryTimeout is how long a record that could not be sent is kept for another try. Zero means 30 s. What was sent is never given up
	// before its fate is known.
	DeliveryTimeout time.Duration

	// Logger receives what could not be delivered. Nil means that nothing is logged.
	Logger *slog.Logger
}

// Validate returns all faults joined into one error, or nil.
func (c SenderConfig) Validate() error {
	faults := []error{c.Kafka.Validate()}
	if c.CommandRoom < 0 || c.ReplyRoom < 0 {
		faults = append(faults, fmt.Errorf("producer: CommandRoom is %d and ReplyRoom is %d; choose positive numbers, or 0 for the defaults", c.CommandRoom, c.ReplyRoom))
	}
	if c.DeliveryTimeout != 0 && c.DeliveryTimeout < time.Second {
		faults = append(faults, fmt.Errorf("producer: DeliveryTimeout is %v; choose at least 1s, or 0 for %v", c.DeliveryTimeout, defaultDeliveryTimeout))
	}
	return errors.Join(faults...)
}

func orDefault[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// Sender writes commands and replies without transactions, idempotently, acknowledged by all in-sync replicas. It is a [muster.Sender]. Its
// methods may be called by any goroutine.
type Sender struct {
	cfg    SenderConfig
	log    *slog.Logger
	client *kgo.Client
	room   chan struct{} // one element per command that waits for its acknowledgement
	places places
	dropped,
	undelivered atomic.Int64 // replies; see Dropped and Undelivered
	waiting atomic.Int64 // replies that wait for their acknowledgement

	gone    missing
	slabs   slabs
	closing sync.Once
}

// OpenSender makes a sender. The first send connects.
func OpenSender(_ context.Context, cfg SenderConfig) (*Sender, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	commands, replies := orDefault(cfg.CommandRoom, defaultCommandRoom), orDefault(cfg.ReplyRoom, defaultReplyRoom)
	client, err := cfg.Kafka.Client(
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(0),
		kgo.MaxBufferedRecords(commands+replies),
		kgo.MaxBufferedBytes(bufferedBytes),
		kgo.RecordDeliveryTimeout(orDefault(cfg.DeliveryTimeout, defaultDeliveryTimeout)),
		kgo.UnknownTopicRetries(4),
		kgo.MetadataMinAge(100*time.Millisecond),
		kgo.RetryBackoffFn(pause),
	)
	if err != nil {
		return nil, fmt.Errorf("producer: sender: %w", err)
	}
	logger := cfg.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Sender{cfg: cfg, log: logger, client: client, room: make(chan struct{}, commands)}, nil
}

// Close gives up what is not acknowledged yet and ends the client. The second call does nothing. To lose nothing, let every SendCommands
// return first, and call Flush for the replies.
func (s *Sender) Close() { s.closing.Do(s.client.Close) }

// Flush waits until every reply handed over so far is acknowledged or undeliverable.
func (s *Sender) Flush(ctx context.Context) error { return s.client.Flush(ctx) }

// SendCommands implements [muster.Sender]. The partition is the one Kafka's default partitioner gives the aggregate id. ctx bounds the
// waiting, not the writing: one caller's end must not take along the commands of others that share its batch. A command whose caller has
// left may therefore still be written.
//
// The errors that are no [muster.Error] leave open whether the command was written.
func (s *Sender) SendCommands(ctx context.Context, g *muster.Group, cmds []*muster.Command) []error {
	errs := make([]error, len(cmds))
	topic := g.CommandTopic(s.cfg.Kafka.Prefix)
	if err := s.places.check(ctx, s.client, g, topic); err != nil {
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	w := newWriting(len(cmds))
	for i, cmd := range cmds {
		select {
		case s.room <- struct{}{}:
		case <-ctx.Done():
			w.done(i, nil, kafka.Map("wait for room to send to "+topic, ctx.Err()))
			continue
		}
		record := kafka.EncodeCommand(cmd, topic, kafka.Partition(cmd.AggregateID, g.Partitions()))
		s.client.TryProduce(context.WithoutCancel(ctx), record, func(r *kgo.Record, err error) {
			<-s.room
			w.done(i, r, sent(s.cfg.Kafka, topic, err))
		})
	}
	w.wait(ctx)
	return w.take(ctx, cmds, errs)
}

// sent types the errors that are certain: the broker refused the command, or it never left.
func sent(c kafka.Config, topic string, err error) error {
	if err == nil {
		return nil
	}
	answer, isAnswer := errors.AsType[*kerr.Error](err)
	if errors.Is(err, kgo.ErrMaxBuffered) || isAnswer && !answer.Retriable && answer.Code != kerr.UnknownServerError.Code {
		return c.Map("send to "+topic, err, kafka.On(kafka.TopicResource, topic, "Write")...)
	}
	if errors.Is(err, kgo.ErrClientClosed) {
		return fmt.Errorf("send to %s: %w: %w", topic, muster.ErrShuttingDown, err)
	}
	return fmt.Errorf("send to %s: %w", topic, err)
}

// writing is one SendCommands under way. It outlives the call when the caller leaves early.
type writing struct {
	mu      sync.Mutex // guards what follows; the client's goroutine adds, the caller reads
	left    int
	results []result
	all     chan struct{} // closed when left is 0
}

type result struct {
	done   bool
	record *kgo.Record
	err    error
}

func newWriting(n int) *writing {
	w := &writing{left: n, results: make([]result, n), all: make(chan struct{})}
	if n == 0 {
		close(w.all)
	}
	return w
}

func (w *writing) done(i int, r *kgo.Record, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.results[i] = result{done: true, record: r, err: err}
	w.left--
	if w.left == 0 {
		close(w.all)
	}
}

func (w *writing) wait(ctx context.Context) {
	select {
	case <-w.all:
	case <-ctx.Done():
	}
}

// take fills in what is known by now.
func (w *writing) take(ctx context.Context, cmds []*muster.Command, errs []error) []error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, one := range w.results {
		switch {
		case !one.done:
			errs[i] = fmt.Errorf("no acknowledgement yet: %w", context.Cause(ctx))
		case one.err != nil:
			errs[i] = one.err
		default:
			cmds[i].Topic, cmds[i].Partition, cmds[i].Offset = one.record.Topic, one.record.Partition, one.record.Offset
		}
	}
	return errs
}
