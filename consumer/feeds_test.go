package consumer_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/kafka"
)

// feeds opens the reading of the cluster's group.
func (c *cluster) feeds(t testing.TB, buffer int) *consumer.Feeds {
	t.Helper()
	f, err := consumer.OpenFeeds(within(t), consumer.FeedsConfig{Kafka: c.kafka, Groups: []*muster.Group{c.group}, BufferBytes: buffer})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

func (c *cluster) source(p int32) consumer.Source {
	return consumer.Source{Topic: c.events(), Partition: p}
}

// drain reads a feed until it has passed every offset of to, and gives the ids of the events by partition.
func drain(t testing.TB, feed *consumer.Feed, to map[consumer.Source]int64) map[int32][]string {
	t.Helper()
	got, at := map[int32][]string{}, map[consumer.Source]int64{}
	for {
		behind := false
		for source, offset := range to {
			behind = behind || at[source] < offset
		}
		if !behind {
			return got
		}
		portions, err := feed.Next(within(t))
		if err != nil {
			t.Fatalf("after %v: %v", at, err)
		}
		for _, p := range portions {
			for i := range p.Events {
				if p.Bad[i] != nil {
					t.Errorf("bad: %v", p.Bad[i])
				}
				if p.Events[i].Offset < at[p.Source] || p.Events[i].Offset >= p.Next {
					t.Errorf("%v: offset %d in a portion from %d to %d", p.Source, p.Events[i].Offset, at[p.Source], p.Next)
				}
				got[p.Source.Partition] = append(got[p.Source.Partition], p.Events[i].ID)
			}
			at[p.Source] = p.Next
		}
	}
}

// ends gives the high watermarks of all partitions.
func (c *cluster) ends(t testing.TB) map[consumer.Source]int64 {
	t.Helper()
	listed, err := c.adm.ListEndOffsets(within(t), c.events())
	if err != nil {
		t.Fatal(err)
	}
	all := map[consumer.Source]int64{}
	for p := range c.group.Partitions() {
		o, _ := listed.Lookup(c.events(), p)
		all[c.source(p)] = o.Offset
	}
	return all
}

// eventOf is the only event of its command, of any aggregate.
func (c *cluster) eventOf(key string, revision int) *kgo.Record {
	e := &muster.Event{
		Meta: muster.Meta{
			ID: fmt.Sprintf("%s-%d/0", key, revision), Type: "test", Group: c.group.Name(), AggregateID: key, Revision: uint64(revision),
			Partition: kafka.Partition(key, c.group.Partitions()), Time: time.Unix(1, 0).UTC(), CausationID: "c", CorrelationID: "c",
		},
		Payload: []byte("event"), Count: 1,
	}
	return kafka.EncodeEvent(e, c.events())
}

// transact writes events in a transaction and commits or aborts it.
func (c *cluster) transact(t testing.TB, commit bool, records ...*kgo.Record) {
	t.Helper()
	client := c.transactor(records[0].Topic + string(records[0].Key))
	c.begin(client, records...)
	c.finish(client, kgo.TransactionEndTry(commit))
}

// A feed gives the committed events of its partitions, in order, and its place passes markers and what was aborted.
func TestAFeedGivesWhatIsCommitted(t *testing.T) {
	c := start(t, 3)
	keys := c.keys()
	for _, key := range keys {
		c.transact(t, true, c.eventOf(key, 1), c.eventOf(key, 2))
		c.transact(t, false, c.eventOf(key, 3))
		c.transact(t, true, c.eventOf(key, 3))
	}
	feeds := c.feeds(t, 0)
	feed, err := feeds.Open(within(t), map[consumer.Source]int64{c.source(0): 0, c.source(2): 0})
	if err != nil {
		t.Fatal(err)
	}
	ends := c.ends(t)
	delete(ends, c.source(1))
	got := drain(t, feed, ends)
	if len(got) != 2 || len(got[0]) != 3 || len(got[2]) != 3 {
		t.Fatalf("got %v", got)
	}
	if _, err := feeds.Open(within(t), map[consumer.Source]int64{c.source(0): 0}); muster.CodeOf(err) != muster.FailedPrecondition {
		t.Errorf("a source was opened twice: %v", err)
	}
}

// Partitions come and go while others are read; one that is opened again begins where that says, whatever was fetched before.
func TestFeedsComeAndGo(t *testing.T) {
	c := start(t, 2)
	keys := c.keys()
	const n = 300
	for p := range keys {
		records := make([]*kgo.Record, n)
		for i := range records {
			records[i] = c.eventOf(keys[p], i+1)
		}
		c.write(records...)
	}
	feeds := c.feeds(t, 64<<10)
	stays, err := feeds.Open(within(t), map[consumer.Source]int64{c.source(0): 0})
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range []int64{0, 250, 10, 299, 0} {
		moves, err := feeds.Open(within(t), map[consumer.Source]int64{c.source(1): from})
		if err != nil {
			t.Fatal(err)
		}
		portions, err := moves.Next(within(t))
		if err != nil || len(portions) == 0 || len(portions[0].Events) == 0 {
			t.Fatalf("from %d: %v, %v", from, portions, err)
		}
		if first := portions[0].Events[0].Offset; first != from {
			t.Errorf("opened at %d, the first event is at %d", from, first)
		}
		moves.Close()
		if _, err := moves.Next(within(t)); err == nil {
			t.Error("a closed feed gives events")
		}
	}
	if got := drain(t, stays, map[consumer.Source]int64{c.source(0): n}); len(got[0]) != n {
		t.Errorf("the feed that stayed gave %d of %d events", len(got[0]), n)
	}
}

// A reader that stands still holds a bounded part, and holds up no other.
func TestASlowFeedHoldsABoundedPart(t *testing.T) {
	c := start(t, 2)
	const events, size, bound = 300, 50 << 10, 512 << 10
	for _, key := range c.keys() {
		for first := 1; first <= events; first += 10 {
			var records []*kgo.Record
			for i := range 10 {
				r := c.eventOf(key, first+i)
				r.Value = make([]byte, size)
				_, _ = rand.Read(r.Value)
				records = append(records, r)
			}
			c.write(records...)
		}
	}
	feeds := c.feeds(t, bound)
	slow, err := feeds.Open(within(t), map[consumer.Source]int64{c.source(0): 0})
	if err != nil {
		t.Fatal(err)
	}
	quick, err := feeds.Open(within(t), map[consumer.Source]int64{c.source(1): 0})
	if err != nil {
		t.Fatal(err)
	}
	if got := drain(t, quick, map[consumer.Source]int64{c.source(1): events}); len(got[1]) != events {
		t.Errorf("beside a slow feed came %d of %d events", len(got[1]), events)
	}
	until(t, "the slow one is paused", func() bool { _, paused := feeds.Buffered(c.source(0)); return paused })
	if bytes, _ := feeds.Buffered(c.source(0)); bytes > bound+2<<20 {
		t.Errorf("%d bytes are held, the bound is %d and a fetch", bytes, bound)
	}
	if got := drain(t, slow, map[consumer.Source]int64{c.source(0): events}); len(got[0]) != events {
		t.Errorf("the slow feed gave %d of %d events", len(got[0]), events)
	}
}

// What is no event is passed over or told, and the place goes on.
func TestAFeedTellsBadRecords(t *testing.T) {
	c := start(t, 1)
	bad := c.eventOf("acc", 2)
	bad.Key = []byte("somebody/else")
	c.write(
		c.eventOf("acc", 1), bad,
		&kgo.Record{Topic: c.events(), Key: []byte("acc/3")},
		&kgo.Record{Topic: c.events(), Key: []byte("x"), Value: []byte("foreign")},
		c.eventOf("acc", 4),
	)
	var foreign []muster.Position
	feeds, err := consumer.OpenFeeds(within(t), consumer.FeedsConfig{
		Kafka: c.kafka, Groups: []*muster.Group{c.group}, Foreign: func(_ string, at muster.Position) { foreign = append(foreign, at) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer feeds.Close()
	feed, err := feeds.Open(within(t), map[consumer.Source]int64{c.source(0): 0})
	if err != nil {
		t.Fatal(err)
	}
	at := map[int64]bool{} // by offset: whether it was bad
	for next := int64(0); next < 5; {
		portions, err := feed.Next(within(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range portions {
			next = p.Next
			for i := range p.Events {
				at[p.Events[i].Offset] = p.Bad[i] != nil
			}
		}
	}
	if len(at) != 3 || at[0] || !at[1] || at[4] {
		t.Errorf("by offset, whether it is bad: %v", at)
	}
	if len(foreign) != 1 || foreign[0].Offset != 3 {
		t.Errorf("foreign: %v", foreign)
	}
}

// A feed tells the marks of trims; one that cannot be read is told as a bad record, and not passed over: it may speak of events that are missing.
func TestAFeedTellsMarksOfTrims(t *testing.T) {
	c := start(t, 1)
	damaged := c.mark(1)
	damaged.Value = append(damaged.Value, ' ')
	c.write(c.eventOf("acc", 1), c.mark(1), c.eventOf("acc", 2), damaged, c.mark(3))
	feed, err := c.feeds(t, 0).Open(within(t), map[consumer.Source]int64{c.source(0): 0})
	if err != nil {
		t.Fatal(err)
	}
	var marks []consumer.TrimmedAt
	var bad []int64
	for next := int64(0); next < 5; {
		portions, err := feed.Next(within(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range portions {
			next = p.Next
			marks = append(marks, p.Marks...)
			for i := range p.Bad {
				bad = append(bad, p.Events[i].Offset)
			}
		}
	}
	if !slices.Equal(marks, []consumer.TrimmedAt{{At: 1, Before: 1}, {At: 4, Before: 3}}) || !slices.Equal(bad, []int64{3}) {
		t.Errorf("marks %v, bad records at %v", marks, bad)
	}
}

// An offset that is not in the log is data loss, at the opening and later; so is a topic made again an error of its own.
func TestAFeedTellsALostPlace(t *testing.T) {
	t.Parallel() // it waits most of the time
	c := start(t, 1)
	c.write(c.eventOf("acc", 1), c.eventOf("acc", 2))
	if _, err := c.feeds(t, 0).Open(within(t), map[consumer.Source]int64{c.source(0): 3}); !errors.Is(err, consumer.ErrDataLoss) {
		t.Errorf("opened behind the end: %v", err)
	}
	for code, want := range map[int16]error{kerr.OffsetOutOfRange.Code: consumer.ErrDataLoss, kerr.UnknownTopicID.Code: consumer.ErrRecreated} {
		t.Run(strconv.Itoa(int(code)), func(t *testing.T) {
			c := startEmbedded(t, 1)
			c.fake.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
				c.fake.KeepControl()
				return refuseFetch(r.(*kmsg.FetchRequest), code), nil, true
			})
			feeds := c.feeds(t, 0)
			feed, err := feeds.Open(within(t), map[consumer.Source]int64{c.source(0): 0})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := feed.Next(within(t)); !errors.Is(err, want) {
				t.Errorf("Next gave %v, not %v", err, want)
			}
		})
	}
}

func refuseFetch(r *kmsg.FetchRequest, code int16) *kmsg.FetchResponse {
	answer := r.ResponseKind().(*kmsg.FetchResponse)
	for _, topic := range r.Topics {
		t := kmsg.NewFetchResponseTopic()
		t.Topic, t.TopicID = topic.Topic, topic.TopicID
		for _, part := range topic.Partitions {
			p := kmsg.NewFetchResponseTopicPartition()
			p.Partition, p.ErrorCode = part.Partition, code
			t.Partitions = append(t.Partitions, p)
		}
		answer.Topics = append(answer.Topics, t)
	}
	return answer
}

// Look and Start say what the brokers say.
func TestFeedsLookAndStart(t *testing.T) {
	c := start(t, 2)
	keys := c.keys()
	feeds := c.feeds(t, 0)
	before, err := feeds.Look(within(t), c.source(0))
	if err != nil {
		t.Fatal(err)
	}
	c.transact(t, true, c.eventOf(keys[0], 1))
	var is consumer.Look
	until(t, "the marker is written", func() bool { // the end of a transaction does not wait for it
		is, err = feeds.Look(within(t), c.source(0))
		return err != nil || is.Stable == before.High+2
	})
	if err != nil {
		t.Fatal(err)
	}
	if is.High != before.High+2 || is.Stable != is.High || is.Low != 0 || is.TopicID == [16]byte{} || is.TopicID != before.TopicID {
		t.Errorf("before %+v, now %+v", before, is)
	}
	after := muster.Position{Topic: c.events(), Partition: 0, Offset: 0}
	for _, one := range []struct {
		reading   muster.Reading
		partition int32
		want      int64
	}{
		{muster.Reading{Start: muster.StartEarliest}, 0, 0},
		{muster.Reading{Start: muster.StartLatest}, 0, is.High},
		{muster.Reading{Start: muster.StartLatest}, 1, 0},
		{muster.Reading{Start: muster.StartTime, Time: time.Unix(1, 0)}, 0, 0},
		{muster.Reading{Start: muster.StartEarliest, After: []muster.Position{after}}, 0, 1},
		{muster.Reading{Start: muster.StartEarliest, After: []muster.Position{after}}, 1, 0},
	} {
		if at, err := feeds.Start(within(t), one.reading, c.source(one.partition)); err != nil || at != one.want {
			t.Errorf("%+v of partition %d starts at %d, %v; want %d", one.reading, one.partition, at, err, one.want)
		}
	}
	far := muster.Reading{Start: muster.StartEarliest, After: []muster.Position{{Topic: c.events(), Partition: 0, Offset: 99}}}
	if _, err := feeds.Start(within(t), far, c.source(0)); !errors.Is(err, consumer.ErrDataLoss) {
		t.Errorf("after a position that is not there: %v", err)
	}
}

// The end of ctx ends Next, and the end of the feeds every feed.
func TestAFeedEnds(t *testing.T) {
	c := start(t, 1)
	feeds := c.feeds(t, 0)
	feed, err := feeds.Open(within(t), map[consumer.Source]int64{c.source(0): 0})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(within(t))
	cancel()
	if _, err := feed.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Next gave %v", err)
	}
	ended := make(chan error, 1)
	go func() { _, err := feed.Next(within(t)); ended <- err }()
	feeds.Close()
	if err := <-ended; !errors.Is(err, muster.ErrShuttingDown) {
		t.Errorf("Next gave %v", err)
	}
}
