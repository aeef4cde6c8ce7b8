package producer

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// SendReplies hands replies over to be written and does not wait for it: a reply that is lost is asked for again with the same command id.
// It never blocks. dropped are those not taken: their reply-to names no reply topic, or too many wait already; the error says why the first
// one was. What fails later (the topic is missing, the partition does not exist) is counted by [Sender.Undelivered] and logged.
func (s *Sender) SendReplies(ctx context.Context, replies []muster.Reply) (dropped int, err error) {
	s.forget()
	room := int64(orDefault(s.cfg.ReplyRoom, defaultReplyRoom))
	ctx = context.WithoutCancel(ctx)
	slab := s.slabs.take(len(replies))
	batch := &answering{sender: s, slab: slab}
	batch.open.Store(1) // for this call itself
	for i := range replies {
		record, fault := slab.Reply(&replies[i], s.cfg.Kafka.Prefix)
		if fault == nil && s.waiting.Load() >= room {
			fault = errNoRoom
		}
		if fault != nil {
			if dropped == 0 {
				err = fault
			}
			dropped++
			continue
		}
		s.waiting.Add(1)
		batch.open.Add(1)
		s.client.TryProduce(ctx, record, batch.replied)
	}
	batch.done()
	s.dropped.Add(int64(dropped))
	return dropped, err
}

// SendStep hands a step of progress over to be written, as SendReplies does with replies, and in order with them. It never blocks; the
// error says why the step was not taken. cause is the meta of the command.
func (s *Sender) SendStep(ctx context.Context, to muster.ReplyTo, cause *muster.Meta, step *muster.Step) error {
	s.forget()
	record, err := kafka.EncodeStep(step, to, cause, s.cfg.Kafka.Prefix)
	if err == nil && s.waiting.Load() >= int64(orDefault(s.cfg.ReplyRoom, defaultReplyRoom)) {
		err = errNoRoom
	}
	if err != nil {
		s.dropped.Add(1)
		return err
	}
	s.waiting.Add(1)
	s.client.TryProduce(context.WithoutCancel(ctx), record, s.replied)
	return nil
}

// answering is the replies of one call on their way. Their memory is used again once each is acknowledged; where one is not, it is given up,
// as the client may still have it in hand.
type answering struct {
	sender *Sender
	slab   *kafka.Slab
	open   atomic.Int64 // replies that are not acknowledged yet, and the call that sends them
	failed atomic.Bool
}

func (a *answering) replied(r *kgo.Record, err error) {
	a.sender.replied(r, err)
	if err != nil {
		a.failed.Store(true)
	}
	a.done()
}

func (a *answering) done() {
	if a.open.Add(-1) == 0 && !a.failed.Load() {
		a.sender.slabs.give(a.slab)
	}
}

// slabs is memory of replies that were acknowledged.
type slabs struct {
	mu   sync.Mutex // guards free: the client's goroutine adds, SendReplies takes
	free []*kafka.Slab
}

// spareSlabs is how many are kept: as many as there are batches on their way at once while all goes well.
const spareSlabs = 2

func (s *slabs) take(records int) *kafka.Slab {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.free)
	if n == 0 {
		return kafka.NewSlab(records)
	}
	slab := s.free[n-1]
	s.free[n-1], s.free = nil, s.free[:n-1]
	slab.Expect(records)
	return slab
}

func (s *slabs) give(slab *kafka.Slab) {
	slab.Reset()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.free) < spareSlabs {
		s.free = append(s.free, slab)
	}
}

var errNoRoom = errors.New("too many replies wait for their acknowledgement; is the cluster slow?")

func (s *Sender) replied(r *kgo.Record, err error) {
	s.waiting.Add(-1)
	if err == nil {
		return
	}
	s.undelivered.Add(1)
	s.log.Warn("reply not delivered; the caller asks again with the same id", "topic", r.Topic, "partition", r.Partition, "command_id", string(r.Key), "cause", err)
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		s.gone.add(r.Topic)
	}
}

// Dropped counts the replies that were not even tried: a reply-to outside of the reply topics, or no room.
func (s *Sender) Dropped() int64 { return s.dropped.Load() }

// Undelivered counts the replies that could not be written.
func (s *Sender) Undelivered() int64 { return s.undelivered.Load() }

// missing collects reply topics that turned out not to exist. Without it the client would ask for their metadata for ever, and a caller
// with ever new reply-tos could fill its tables.
type missing struct {
	mu     sync.Mutex // guards topics: the client's goroutine adds, SendReplies takes
	topics []string
}

func (m *missing) add(topic string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.topics = append(m.topics, topic)
}

func (m *missing) take() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	topics := m.topics
	m.topics = nil
	return topics
}

// forget removes missing topics from the client. It must not run on the client's own goroutine.
func (s *Sender) forget() {
	if topics := s.gone.take(); len(topics) > 0 {
		s.client.PurgeTopicsFromProducing(topics...)
	}
}
