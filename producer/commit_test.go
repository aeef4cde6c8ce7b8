package producer_test

import (
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/producer"
)

func TestCommitIsAtomicAndVisible(t *testing.T) {
	b := newBed(t, 3)
	lane := b.open().Lane(0)
	d := b.decide("c1", 0, 3, 3, 5)
	d.Dead = append(d.Dead, b.dead("c2", 4))
	d.Offsets = []muster.Progress{{Partition: 0, Next: 7}, {Partition: 3, Next: 8}, {Partition: 4, Next: 9}, {Partition: 5, Next: 10}}
	want(t, lane.Commit(t.Context(), d), nil)

	records := b.committed(b.group.JournalTopic(""))
	if len(records) != 4 {
		t.Fatalf("%d events are visible, want 4", len(records))
	}
	for _, e := range d.Events {
		if e.Topic != b.group.JournalTopic("") {
			t.Errorf("event %s: topic %q", e.ID, e.Topic)
		}
		at := slices.IndexFunc(records, func(r *kgoRecord) bool { return r.Partition == e.Partition && r.Offset == e.Offset })
		if at < 0 {
			t.Fatalf("event %s says %v, where no record is", e.ID, e.Position())
		}
		if key := e.AggregateID + "/" + strconv.FormatUint(e.Revision, 10); string(records[at].Key) != key {
			t.Errorf("at %v: record %q, want %q", e.Position(), records[at].Key, key)
		}
	}
	if dead := b.committed(b.group.DeadLetterTopic("")); len(dead) != 1 || dead[0].Partition != 4 {
		t.Errorf("dead letters: %v", dead)
	}
	for _, o := range d.Offsets {
		if got := b.consumed(o.Partition); got != o.Next {
			t.Errorf("partition %d: consumed up to %d, want %d", o.Partition, got, o.Next)
		}
	}
	if got := b.claims.asked[0]; !slices.Equal(got, []int32{0, 3, 4, 5}) {
		t.Errorf("claimed %v", got)
	}
}

func TestCommitWithoutWritesMovesOffsetsOnly(t *testing.T) {
	b := newBed(t, 1)
	lane := b.open().Lane(0)
	ended := b.count(kmsg.EndTxn)
	want(t, lane.Commit(t.Context(), &muster.Decision{Group: b.group, Offsets: []muster.Progress{{Partition: 2, Next: 41}}}), nil)
	if got := b.consumed(2); got != 41 {
		t.Errorf("consumed up to %d, want 41", got)
	}
	if n := ended.Load(); n != 0 {
		t.Errorf("%d transactions ended, want none", n)
	}
	want(t, lane.Commit(t.Context(), &muster.Decision{Group: b.group}), nil)
}

func TestSlotsTakeTurns(t *testing.T) {
	b := newBed(t, 1)
	lane := b.open(func(c *producer.Config) { c.Slots = 3 }).Lane(0)
	var ids []string
	b.watch(kmsg.EndTxn, func(req kmsg.Request) { ids = append(ids, req.(*kmsg.EndTxnRequest).TransactionalID) })
	for i := range 7 {
		want(t, lane.Commit(t.Context(), b.decide("c"+strconv.Itoa(i), 1)), nil)
	}
	expected := []string{}
	for i := range 7 {
		expected = append(expected, "accounts/one/0/"+strconv.Itoa(i%3))
	}
	b.sync(func() {
		if !slices.Equal(ids, expected) {
			t.Errorf("transactions ended by %v, want %v", ids, expected)
		}
	})
}

func TestLeadersAreWrittenOneAfterAnother(t *testing.T) {
	b := newBed(t, 3)
	for p := range b.group.Partitions() {
		if err := b.cluster.MoveTopicPartition(b.group.JournalTopic(""), p, p%3); err != nil {
			t.Fatal(err)
		}
	}
	lane := b.open().Lane(0)
	b.warm(lane, 2) // a client's first request may leave before all records are there
	var nodes []int32
	b.watch(kmsg.Produce, func(kmsg.Request) { nodes = append(nodes, b.cluster.CurrentNode()) })
	want(t, lane.Commit(t.Context(), b.decide("c1", 0, 1, 2, 3, 4, 5, 0, 1, 2)), nil)
	b.sync(func() {
		// The client may be about to come to rest after the warm-up, and then a first record leaves before the others of its leader.
		if !slices.Equal(slices.Compact(nodes), []int32{0, 1, 2}) {
			t.Errorf("produce requests went to nodes %v, want one leader after another", nodes)
		}
	})
	if keys := b.keys("c1"); len(keys) != 9 {
		t.Errorf("%d events visible, want 9", len(keys))
	}
}

func TestStagesAndFailpointsComeInOrder(t *testing.T) {
	b := newBed(t, 1)
	var steps []string
	lane := b.open(func(c *producer.Config) {
		c.Observe = func(stage string, took time.Duration) {
			if took < 0 {
				t.Errorf("%s took %v", stage, took)
			}
			steps = append(steps, stage)
		}
		c.Failpoint = func(point string) { steps = append(steps, point) }
	}).Lane(0)
	want(t, lane.Commit(t.Context(), b.decide("c1", 1, 2)), nil)
	expected := []string{
		"claim", "after-first-produce", "produce", "after-produce", "offsets", "after-offsets", "end", "after-end",
	}
	if !slices.Equal(steps, expected) {
		t.Errorf("steps %v, want %v", steps, expected)
	}
}

func TestFirstFailpointSeesOneRecordOnly(t *testing.T) {
	b := newBed(t, 1)
	written := map[string]int64{}
	lane := b.open(func(c *producer.Config) {
		c.Failpoint = func(point string) {
			written[point] = b.cluster.PartitionInfo(b.group.JournalTopic(""), 1).HighWatermark
		}
	}).Lane(0)
	want(t, lane.Commit(t.Context(), b.decide("c1", 1, 1, 1)), nil)
	if written[producer.PointAfterFirstProduce] != 1 || written[producer.PointAfterProduce] != 3 {
		t.Errorf("written at the points: %v", written)
	}
}

func TestWritesOutsideOfTheClaimAreRefused(t *testing.T) {
	b := newBed(t, 1)
	lane := b.open().Lane(0)
	d := b.decide("c1", 1, 2)
	d.Offsets = d.Offsets[:1]
	want(t, lane.Commit(t.Context(), d), muster.ErrAborted)
	d = b.decide("c1", 1)
	d.Dead = append(d.Dead, b.dead("c2", 3))
	want(t, lane.Commit(t.Context(), d), muster.ErrAborted)
	want(t, lane.Commit(t.Context(), &muster.Decision{Group: muster.NewGroup("others"), Offsets: d.Offsets}), muster.ErrAborted)
	if keys := b.keys("c1"); len(keys) != 0 {
		t.Errorf("visible: %v", keys)
	}
}

func TestOneCommitOfALaneAtATime(t *testing.T) {
	b := newBed(t, 1)
	var lane *producer.Lane
	var inner error
	lane = b.open(func(c *producer.Config) {
		c.Failpoint = func(point string) {
			if point == producer.PointAfterProduce {
				inner = lane.Commit(t.Context(), b.decide("c2", 1))
			}
		}
	}).Lane(0)
	want(t, lane.Commit(t.Context(), b.decide("c1", 1)), nil)
	want(t, inner, muster.ErrAborted)
	if keys := b.keys("c2"); len(keys) != 0 {
		t.Errorf("visible: %v", keys)
	}
}

func TestClosedProducerCommitsNothing(t *testing.T) {
	b := newBed(t, 1)
	p := b.open()
	lane := p.Lane(0)
	want(t, lane.Commit(t.Context(), b.decide("c1", 1)), nil)
	p.Close()
	p.Close()
	err := lane.Commit(t.Context(), b.decide("c2", 1))
	want(t, err, muster.ErrAborted)
	if !errors.Is(err, producer.ErrClosed) || !errors.Is(err, muster.ErrShuttingDown) {
		t.Errorf("error does not say that the producer is closed: %v", err)
	}
	if err := lane.Settle(t.Context()); !errors.Is(err, producer.ErrClosed) {
		t.Errorf("settle: %v", err)
	}
}
