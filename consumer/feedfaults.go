package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// ErrRecreated is what a [Feed] gives when its journal was deleted and made again.
var ErrRecreated = errors.New("the journal was deleted and made again")

// stallTop bounds how seldom a feed that is held up looks why.
const stallTop = 5 * time.Second

// fault decides what an error of a fetch means: some end the feed, the client tries again after the others. It tells whether to pause before
// that.
func (f *Feeds) fault(ctx context.Context, source Source, err error) bool {
	if large, is := errors.AsType[*kgo.ErrDecompressTooLarge](err); is {
		f.passBatch(ctx, source, large)
		return false
	}
	_, cut := errors.AsType[*kgo.ErrDataLoss](err)
	end := error(nil)
	switch {
	case cut, errors.Is(err, kerr.OffsetOutOfRange):
		end = fmt.Errorf("%v: %w: %w", source, ErrDataLoss, err)
	case errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.InconsistentTopicID):
		end = fmt.Errorf("%v: %w: %w", source, ErrRecreated, err)
	}
	text := err.Error()
	f.mu.Lock()
	t := f.taps[source]
	if t != nil {
		if end == nil && t.troubledLocked(time.Now()) {
			end = f.config.Kafka.Map("read "+source.String(), err, kafka.On(kafka.TopicResource, source.Topic, "Read")...)
		}
		switch {
		case errors.Is(end, ErrRecreated):
			f.remadeLocked(source.Topic, end)
		case end != nil:
			t.feed.failLocked(end)
		}
	}
	again := f.told == text
	f.told = text
	f.mu.Unlock()
	if !again && end == nil && t != nil {
		f.log.ErrorContext(ctx, "events cannot be read; trying again", "topic", source.Topic, "partition", source.Partition,
			"error", f.config.Kafka.Map("read events", err, kafka.On(kafka.TopicResource, source.Topic, "Read")...))
	}
	return end == nil
}

// remadeLocked ends all feeds that read a topic which was made again, so that nobody goes on with the old one when the client forgets it.
func (f *Feeds) remadeLocked(topic string, end error) {
	f.remade[topic] = true
	for source, t := range f.taps {
		if source.Topic == topic {
			t.feed.failLocked(end)
		}
	}
}

// Errors of fetches that come again and again for longer than troubleLimit end the feed, so that its reader knows, and opens it anew when the
// brokers answer. Those that are further apart than troubleGap are not the same trouble.
const (
	troubleLimit = 3 * time.Second
	troubleGap   = time.Second
)

// troubledLocked notes an error that the client tries again after, and tells whether that has gone on for too long.
func (t *tap) troubledLocked(now time.Time) bool {
	if now.Sub(t.lastFault) > troubleGap {
		t.faultSince = now
	}
	t.lastFault = now
	return now.Sub(t.faultSince) > troubleLimit
}

// passBatch puts one record in the place of a batch that decompresses to more than the client's limit, and reads on behind it: kgo goes no
// further on its own. The record becomes a bad one, for its reader to decide about.
func (f *Feeds) passBatch(ctx context.Context, source Source, e *kgo.ErrDecompressTooLarge) {
	at := muster.Position{Topic: source.Topic, Partition: source.Partition, Offset: e.NextOffset - 1}
	fault := muster.Errorf(muster.DataLoss, "%v: the batch at offsets %d to %d decompresses to more than this client allows; none of it was read",
		at, e.Offset, e.NextOffset-1)
	stated, state := context.WithCancelCause(context.WithoutCancel(ctx))
	state(fault)
	record := &kgo.Record{
		Topic: source.Topic, Partition: source.Partition, Offset: e.NextOffset - 1, LeaderEpoch: e.Epoch, Value: []byte{}, Context: stated,
	}
	f.mu.Lock()
	if t := f.taps[source]; t != nil {
		t.receiveLocked([]*kgo.Record{record}, t.high)
	}
	f.mu.Unlock()
	f.client.SetOffsets(map[string]map[int32]kgo.EpochOffset{source.Topic: {source.Partition: {Epoch: e.Epoch, Offset: e.NextOffset}}})
}

// standIn gives the fault of a record that passBatch made, nil for all others.
func standIn(r *kgo.Record) error {
	if r.Headers != nil || r.Context == nil {
		return nil
	}
	if fault, is := errors.AsType[*muster.Error](context.Cause(r.Context)); is {
		return fault
	}
	return nil
}

// unstick looks at partitions of which more was known to be there than has come: an open transaction may hide the rest, or compaction has
// taken the last records and their markers, and then nothing ever comes that a place could move over.
func (f *Feed) unstick(ctx context.Context) {
	type stuck struct {
		*tap
		next, to int64
	}
	var all []stuck
	f.feeds.mu.Lock()
	for _, t := range f.taps {
		if t.next < t.high && !t.full {
			all = append(all, stuck{t, t.next, t.high})
		}
	}
	f.feeds.mu.Unlock()
	for _, t := range all {
		found, err := probe(ctx, f.feeds.client, t.source.Topic, t.source.Partition, t.next)
		if err != nil {
			continue // the poll tells what is wrong with the brokers
		}
		f.feeds.mu.Lock()
		if t.tap.next == t.next {
			t.tap.next = skip(found, t.next, t.to)
			signal(f.wake)
		}
		f.feeds.mu.Unlock()
	}
}
