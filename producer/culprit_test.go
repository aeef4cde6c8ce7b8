package producer_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/producer"
)

// blamed commits d, which must be aborted, and gives the command that is blamed, or "".
func (b *bed) blamed(lane *producer.Lane, d *muster.Decision) string {
	b.t.Helper()
	written := func() int {
		return len(b.committed(b.group.JournalTopic(""))) + len(b.committed(b.group.DeadLetterTopic("")))
	}
	before := written()
	err := lane.Commit(b.t.Context(), d)
	want(b.t, err, muster.ErrAborted)
	if b.hidden(1) || b.hidden(2) {
		b.t.Error("the transaction is still undecided")
	}
	if n := written() - before; n != 0 {
		b.t.Errorf("%d records are visible", n)
	}
	fault, ok := errors.AsType[*muster.RecordFault](err)
	if !ok {
		return ""
	}
	if muster.CodeOf(fault.Cause) != muster.InvalidArgument && !errors.Is(fault.Cause, kerr.InvalidRecord) {
		b.t.Errorf("cause of %s: %v", fault.CommandID, fault.Cause)
	}
	return fault.CommandID
}

// three makes a decision of three commands in two partitions.
func (b *bed) three() *muster.Decision {
	d := b.decide("c1", 1, 2)
	d.Events = append(d.Events, b.event("c2", 0, 1, 1), b.event("c3", 0, 1, 1))
	return d
}

func TestTooLargeRecordIsBlamed(t *testing.T) {
	b := newBed(t, 1)
	lane := b.open().Lane(0)
	d := b.three()
	d.Events[2].Payload = bytes.Repeat([]byte{'x'}, 2<<20)
	if got := b.blamed(lane, d); got != "c2" {
		t.Errorf("blamed %q, want c2", got)
	}
	want(t, lane.Commit(t.Context(), b.decide("c1", 1, 2)), nil)
}

func TestTooLargeForTheTopicIsBlamed(t *testing.T) {
	b := newBed(t, 1)
	b.alter(b.group.JournalTopic(""), "max.message.bytes", "4096")
	lane := b.open().Lane(0)
	d := b.three()
	d.Events[3].Payload = bytes.Repeat([]byte{'x'}, 5_000)
	if got := b.blamed(lane, d); got != "c3" {
		t.Errorf("blamed %q, want c3", got)
	}
	d = b.decide("many", 1)
	for i := range 100 { // each of them fits, together they do not fit into one batch
		d.Events = append(d.Events, b.event("many", i+1, 101, 1))
	}
	want(t, lane.Commit(t.Context(), d), nil)
	if keys := b.keys("many"); len(keys) != 101 {
		t.Errorf("%d events visible, want 101", len(keys))
	}
}

func TestTooLargeDeadLetterIsBlamed(t *testing.T) {
	b := newBed(t, 1)
	b.alter(b.group.DeadLetterTopic(""), "max.message.bytes", "4096")
	lane := b.open().Lane(0)
	d := b.decide("c1", 1)
	d.Dead = append(d.Dead, b.dead("c2", 1), b.dead("c3", 1))
	d.Dead[1].Command.Payload = bytes.Repeat([]byte{'x'}, 5_000)
	if got := b.blamed(lane, d); got != "c3" {
		t.Errorf("blamed %q, want c3", got)
	}
}

// A broker refuses a whole batch. The suspects are tried alone.
func TestCulpritOfARefusedBatchIsFound(t *testing.T) {
	b := newBed(t, 1)
	lane := b.open().Lane(0)
	b.warm(lane, 2) // a client's first request may leave before all records are there
	d := b.three()
	d.Events[2].Payload = bytes.Repeat([]byte{'x'}, 1_000)
	d.Events[0].Payload = bytes.Repeat([]byte{'x'}, 500)
	tooLarge := kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Partitions: []int32{1}, Err: kerr.MessageTooLarge, Count: 2}
	b.cluster.Fault(tooLarge)
	if got := b.blamed(lane, d); got != "c2" {
		t.Errorf("blamed %q, want c2, which is the largest", got)
	}

	tooLarge.Count = 1
	b.cluster.Fault(tooLarge)
	if got := b.blamed(lane, d); got != "" {
		t.Errorf("blamed %q, but the largest record alone was taken", got)
	}

	produced := 0
	b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Partitions: []int32{1}, Err: kerr.InvalidRecord, Count: 2, When: func(kmsg.Request) bool {
		produced++
		return produced == 1 || produced == 3 // the batch; its largest record is taken; the next one is not
	}})
	if got := b.blamed(lane, d); got != "c1" {
		t.Errorf("blamed %q, want c1, the second one tried", got)
	}
	want(t, lane.Commit(t.Context(), d), nil)
}
