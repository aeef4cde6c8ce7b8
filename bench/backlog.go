package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// backlog is commands that lie in the topic before the work begins. Twelve callers want the answers, each in a partition of its own.
type backlog struct {
	commands   int
	aggregates int
	payload    int
	inOrder    bool                            // one aggregate after another instead of random ones
	encode     func(cmd *muster.Command) error // makes the payload; nil: all have the same
}

// write puts the backlog into the command topic of a stage.
func (b backlog) write(ctx context.Context, c *cluster, s *stage) error {
	w, err := c.writer(kgo.ProducerLinger(5 * time.Millisecond))
	if err != nil {
		return err
	}
	defer w.Close()
	payload, err := encoded(c.cfg.seed, b.payload)
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(c.cfg.seed, 2))
	names, topic, now := accounts(b.aggregates), s.commands(), time.Now().UTC().Truncate(time.Microsecond)
	out := newOutput(w)
	for i := range b.commands {
		at := i % b.aggregates
		if !b.inOrder {
			at = random.IntN(b.aggregates)
		}
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		cmd := command(s, names[at], id.String(), payload, now)
		cmd.ReplyTo = muster.ReplyTo{Topic: s.replies, Partition: int32(i % partitions)}
		if b.encode != nil {
			if err := b.encode(&cmd); err != nil {
				return err
			}
		}
		out.put(ctx, kafka.EncodeCommand(&cmd, topic, kafka.Partition(cmd.AggregateID, partitions)))
	}
	return out.flush(ctx)
}

func command(s *stage, aggregate, id string, payload []byte, now time.Time) muster.Command {
	return muster.Command{
		Meta: muster.Meta{
			ID: id, Type: commandName, Group: s.group.Name(), AggregateID: aggregate, CorrelationID: id,
			Time: now, ContentType: muster.ContentProtobuf,
		},
		Payload: payload,
	}
}

// encoded is the payload of commands and events.
func encoded(seed uint64, bytes int) ([]byte, error) {
	return proto.Marshal(wrapperspb.Bytes(filling(seed, bytes)))
}

// output is records on their way, and the first thing that went wrong with them.
type output struct {
	client *kgo.Client
	failed atomic.Pointer[error] // the client's goroutine sets it
	once   sync.Once
}

func newOutput(client *kgo.Client) *output { return &output{client: client} }

func (o *output) put(ctx context.Context, r *kgo.Record) { o.client.Produce(ctx, r, o.done) }

func (o *output) done(_ *kgo.Record, err error) {
	if err != nil {
		o.once.Do(func() { o.failed.Store(&err) })
	}
}

// flush waits until all records are acknowledged.
func (o *output) flush(ctx context.Context) error {
	if err := o.client.Flush(ctx); err != nil {
		return err
	}
	return o.err()
}

func (o *output) err() error {
	if err := o.failed.Load(); err != nil {
		return *err
	}
	return nil
}
