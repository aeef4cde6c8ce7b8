package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
)

func (c *cluster) journal() consumer.JournalConfig {
	return consumer.JournalConfig{Kafka: c.kafka, Group: c.group}
}

// end gives the high watermark of journal partition 0.
func (c *cluster) end() int64 {
	c.t.Helper()
	ends, err := consumer.EndOffsets(within(c.t), c.journal(), []int32{0})
	if err != nil {
		c.t.Fatal(err)
	}
	return ends[0]
}

// event is the only event of its command, in partition 0 of the journal.
func (c *cluster) event(revision uint64) *kgo.Record {
	e := &muster.Event{
		Meta: muster.Meta{
			ID: fmt.Sprintf("c%d/0", revision), Type: "test", Group: c.group.Name(), AggregateID: "acc", Revision: revision,
			Time: time.Unix(1, 0).UTC(), CausationID: fmt.Sprintf("c%d", revision), CorrelationID: "c1",
		},
		Payload: fmt.Appendf(nil, "event %d", revision),
		Count:   1,
	}
	return kafka.EncodeEvent(e, c.events())
}

// transactor is a producer with a transactional id.
func (c *cluster) transactor(id string) *kgo.Client {
	c.t.Helper()
	client, err := c.kafka.Client(kgo.TransactionalID(c.group.Name()+id), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(client.Close)
	return client
}

// begin starts a transaction and writes into it.
func (c *cluster) begin(client *kgo.Client, records ...*kgo.Record) {
	c.t.Helper()
	kafkatest.Begin(c.t, client, records...)
}

func (c *cluster) finish(client *kgo.Client, how kgo.TransactionEndTry) {
	c.t.Helper()
	if err := client.EndTransaction(within(c.t), how); err != nil {
		c.t.Fatal(err)
	}
}

// revisions collects what a reader hands over.
type revisions []uint64

func (r *revisions) take(events []muster.Event) error {
	for i := range events {
		*r = append(*r, events[i].Revision)
	}
	return nil
}

func TestTheJournalIsReadOverMarkersAndAbortedTransactions(t *testing.T) {
	c := start(t, 1)
	client := c.transactor("t")
	c.begin(client, c.event(1), c.event(2)) // 0, 1, marker 2
	c.finish(client, kgo.TryCommit)
	c.begin(client, c.event(3)) // 3, marker 4: never happened
	c.finish(client, kgo.TryAbort)
	tombstone := &kgo.Record{Topic: c.events(), Key: []byte("acc/0")}
	foreign := &kgo.Record{Topic: c.events(), Key: []byte("k"), Value: []byte("v")}
	c.write(tombstone, foreign) // 5, 6
	c.begin(client, c.event(3)) // 7, marker 8
	c.finish(client, kgo.TryCommit)
	c.begin(client, c.event(4), c.event(5)) // 9, 10, marker 11: the end of the log is an aborted one
	c.finish(client, kgo.TryAbort)

	config := c.journal()
	var foreigners []muster.Position
	config.Foreign = func(p muster.Position) { foreigners = append(foreigners, p) }
	for _, reading := range []struct {
		from, to int64
		want     revisions
	}{{0, 12, revisions{1, 2, 3}}, {1, 7, revisions{2}}, {3, 5, nil}, {9, 11, nil}, {12, 12, nil}} {
		var got revisions
		next, err := consumer.ReadJournal(within(t), config, 0, reading.from, reading.to, got.take, nil)
		if err != nil || next != reading.to || !reflect.DeepEqual(got, reading.want) {
			t.Errorf("from %d to %d: revisions %v, next %d, %v; want %v", reading.from, reading.to, got, next, err, reading.want)
		}
	}
	if end := c.end(); end != 12 {
		t.Errorf("the journal ends at %d; want 12", end)
	}
	want := muster.Position{Topic: c.events(), Partition: 0, Offset: 6}
	if len(foreigners) != 2 || foreigners[0] != want {
		t.Errorf("foreign records at %v; want %v each time it is read over", foreigners, want)
	}
}

// KAFKA-10167: a committed event behind an open transaction is below the high watermark, though read_committed does not see it.
func TestAnOpenTransactionStallsTheReader(t *testing.T) {
	c := start(t, 1)
	dead, alive := c.transactor("dead"), c.transactor("alive")
	c.begin(alive, c.event(1)) // 0, marker 1
	c.finish(alive, kgo.TryCommit)
	c.begin(dead, c.event(2))  // 2, open
	c.begin(alive, c.event(2)) // 3, marker 4
	c.finish(alive, kgo.TryCommit)

	var got revisions
	var at []int64
	next, err := consumer.ReadJournal(within(t), c.journal(), 0, 0, c.end(), got.take, func(offset int64) {
		if at = append(at, offset); len(at) == 2 {
			c.finish(dead, kgo.TryAbort)
		}
	})
	if err != nil || next != 5 || !reflect.DeepEqual(got, revisions{1, 2}) {
		t.Fatalf("revisions %v, next %d, %v; want 1 and 2, next 5", got, next, err)
	}
	if len(at) < 2 || at[0] != 2 || at[1] != 2 {
		t.Fatalf("stalled at %v; want twice at 2, where the open transaction begins", at)
	}
}

func TestAnOffsetThatTheJournalDoesNotHold(t *testing.T) {
	c := start(t, 1)
	c.write(c.event(1), c.event(2), c.event(3))
	readings := [][2]int64{{7, 9}, {9, 3}, {-1, 3}}
	if c.fake != nil { // Apache Kafka trims no compacted topic
		if err := c.fake.DeleteRecords(c.events(), 0, 2); err != nil {
			t.Fatal(err)
		}
		readings = append(readings, [2]int64{0, 3})
	}
	for _, reading := range readings {
		var got revisions
		next, err := consumer.ReadJournal(within(t), c.journal(), 0, reading[0], reading[1], got.take, nil)
		if !errors.Is(err, consumer.ErrDataLoss) || len(got) > 0 || next != reading[0] {
			t.Errorf("from %d to %d: %v, revisions %v, next %d; want ErrDataLoss", reading[0], reading[1], err, got, next)
		}
	}
	if _, err := consumer.ReadJournal(within(t), c.journal(), 1, 0, 1, nil, nil); err == nil || !strings.Contains(err.Error(), "partitions 0 to 0") {
		t.Errorf("partition 1 of 1: %v", err)
	}
}

func TestAMalformedEventIsNamed(t *testing.T) {
	c := start(t, 1)
	broken := c.event(3)
	broken.Key = []byte("no revision")
	c.write(c.event(1), c.event(2), broken, c.event(4))
	var got revisions
	next, err := consumer.ReadJournal(within(t), c.journal(), 0, 0, 4, got.take, nil)
	if !errors.Is(err, consumer.ErrMalformed) || !strings.Contains(err.Error(), c.events()+"[0]@2") || next != 2 || !reflect.DeepEqual(got, revisions{1, 2}) {
		t.Fatalf("revisions %v, next %d, %v; want the position of the third record", got, next, err)
	}
}

func TestTheReaderEndsWithFnAndContext(t *testing.T) {
	c := start(t, 1)
	c.write(c.event(1))
	broken := errors.New("disk full")
	next, err := consumer.ReadJournal(within(t), c.journal(), 0, 0, 1, func([]muster.Event) error { return broken }, nil)
	if !errors.Is(err, broken) || next != 0 {
		t.Fatalf("next %d, %v; want the error of fn, and nothing read", next, err)
	}
	c.begin(c.transactor("open"), c.event(2))
	ctx, cancel := context.WithCancel(within(t))
	var got revisions
	next, err = consumer.ReadJournal(ctx, c.journal(), 0, 0, 2, got.take, func(int64) { cancel() })
	if !errors.Is(err, context.Canceled) || next != 1 {
		t.Fatalf("next %d, %v; want context.Canceled, and the first event read", next, err)
	}
}
