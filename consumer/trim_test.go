package consumer_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/kafka"
)

// mark is the record of a trim.
func (c *cluster) mark(before int64) *kgo.Record {
	c.t.Helper()
	r, err := kafka.EncodeTrimMark(c.group, &muster.TrimMark{Before: before}, c.events())
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

// The last mark counts, and of tombstones the highest revision; what was aborted does not.
func TestReadTrimming(t *testing.T) {
	c := start(t, 1)
	tombstone := func(id string, revision uint64) *kgo.Record {
		return kafka.EncodeTombstone(muster.EventKey{AggregateID: id, Revision: revision}, 0, c.events())
	}
	c.write(c.event(1), c.event(2), c.event(3), c.mark(1), tombstone("acc", 1), c.mark(2), tombstone("acc", 2), tombstone("b", 9))
	aborted := c.transactor("/aborted")
	c.begin(aborted, c.mark(3), tombstone("acc", 3))
	c.finish(aborted, kgo.TryAbort)
	end := c.end()
	got, err := consumer.ReadTrimming(within(t), c.journal(), 0, 0, end, nil)
	if err != nil || got.Mark == nil || got.Mark.Before != 2 || len(got.Gone) != 2 || got.Gone["acc"] != 2 || got.Gone["b"] != 9 {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := consumer.ReadTrimming(within(t), c.journal(), 0, 0, 3, nil); err != nil || got.Mark != nil || len(got.Gone) != 0 {
		t.Errorf("before the first mark: %+v, %v", got, err)
	}
	var read revisions
	if _, err := consumer.ReadJournal(within(t), c.journal(), 0, 0, end, read.take, nil); err != nil || len(read) != 3 {
		t.Errorf("as events: %v, %v", read, err)
	}
	bad := c.mark(2)
	bad.Value[12] ^= 1
	c.write(bad)
	if _, err := consumer.ReadTrimming(within(t), c.journal(), 0, 0, c.end(), nil); !errors.Is(err, consumer.ErrMalformed) {
		t.Errorf("a spoilt mark: %v", err)
	}
	if _, err := consumer.ReadTrimming(within(t), c.journal(), 1, 0, 1, nil); err == nil {
		t.Error("partition 1 of 1 was read")
	}
}

// Quiet waits for the Work that has the partition, and for no other.
func TestQuiet(t *testing.T) {
	c := start(t, 2)
	keys := c.keys()
	m := run(t, oneLane(c.config("a")))
	m.serveAll(2)
	c.send(keys[0], 0, 1)
	w := m.poll(0)
	m.Hold(0)
	if err := m.Quiet(within(t), 1); err != nil {
		t.Errorf("partition 1: %v", err)
	}
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := m.Quiet(short, 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("partition 0 is in hand: %v", err)
	}
	w.Done(1)
	if err := m.Quiet(within(t), 0); err != nil {
		t.Errorf("after Done: %v", err)
	}
}
