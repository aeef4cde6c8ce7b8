package producer_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// till makes another group with its command topic.
func (b *bed) till(partitions int) *muster.Group {
	b.t.Helper()
	g := muster.NewGroup("till", muster.Partitions(partitions))
	if err := b.cluster.CreateTopic(g.CommandTopic(""), g.Partitions(), nil); err != nil {
		b.t.Fatal(err)
	}
	return g
}

// write adds a command to a decision, to a box that lies in the given partition of its target.
func (b *bed) write(d *muster.Decision, to *muster.Group, partition int32) {
	b.t.Helper()
	cause := d.Events[0].CausationID
	for n := 0; ; n++ {
		id := fmt.Sprint("box-", n)
		if kafka.Partition(id, to.Partitions()) != partition {
			continue
		}
		d.Commands = append(d.Commands, muster.Written{Group: to, Origin: d.Events[0].Partition, Command: muster.Command{
			Meta: muster.Meta{
				ID: fmt.Sprint(cause, "-", len(d.Commands)), Type: "till.Pay", Group: to.Name(), AggregateID: id, Time: time.Unix(1_800_000_000, 0).UTC(),
				CorrelationID: cause, CausationID: cause,
			},
			Payload: []byte("{}"),
		}})
		return
	}
}

// blamedFor gives the faults of a commit that must be aborted and leave nothing.
func (b *bed) blamedFor(err error, target *muster.Group) []*muster.RecordFault {
	b.t.Helper()
	want(b.t, err, muster.ErrAborted)
	for _, topic := range []string{b.group.JournalTopic(""), target.CommandTopic("")} {
		if n := len(b.committed(topic)); n != 0 {
			b.t.Errorf("%d records are visible in %s", n, topic)
		}
	}
	return muster.RecordFaults(err)
}

func TestCommandsAreWrittenLeaderAfterLeader(t *testing.T) {
	b := newBed(t, 3)
	g := b.till(3)
	for p := range int32(3) {
		if err := b.cluster.MoveTopicPartition(b.group.JournalTopic(""), p, p); err != nil {
			t.Fatal(err)
		}
		if err := b.cluster.MoveTopicPartition(g.CommandTopic(""), p, (p+1)%3); err != nil {
			t.Fatal(err)
		}
	}
	lane := b.open().Lane(0)
	decide := func(command string) *muster.Decision {
		d := b.decide(command, 0)
		for p := range int32(3) {
			b.write(d, g, p)
			b.write(d, g, p)
		}
		return d
	}
	for n := range 2 { // each slot has written there once
		want(t, lane.Commit(t.Context(), decide(fmt.Sprint("warm", n))), nil)
	}
	var nodes []int32
	b.watch(kmsg.Produce, func(kmsg.Request) { nodes = append(nodes, b.cluster.CurrentNode()) })
	d := decide("c1")
	want(t, lane.Commit(t.Context(), d), nil)
	b.sync(func() {
		if !slices.Equal(slices.Compact(nodes), []int32{0, 1, 2}) { // as in TestLeadersAreWrittenOneAfterAnother
			t.Errorf("produce requests went to nodes %v, want one leader after another", nodes)
		}
	})
	records := b.committed(g.CommandTopic(""))
	if len(records) != 18 {
		t.Errorf("%d commands arrived, want 18", len(records))
	}
	for i := range d.Commands {
		c := &d.Commands[i].Command
		if !slices.ContainsFunc(records, func(r *kgo.Record) bool {
			got := kafka.DecodeCommand(r, g)
			return got.ID == c.ID && got.Position() == c.Position() && got.Fault == nil
		}) {
			t.Errorf("command %s says that it lies at %v, where it is not", c.ID, c.Position())
		}
	}
}

// A topic that is deleted after it was found is noticed when it is written to, and blamed on the commands; one that comes back is found again.
func TestTargetThatGoesAway(t *testing.T) {
	b := newBed(t, 1)
	g := b.till(2)
	lane := b.open().Lane(0)
	refuse := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: g.CommandTopic(""), Err: kerr.TopicAuthorizationFailed, Count: -1})
	d := b.decide("c1", 1)
	b.write(d, g, 0)
	faults := b.blamedFor(lane.Commit(t.Context(), d), g)
	if len(faults) != 1 || faults[0].CommandID != "c1" || faults[0].Target != "till" || faults[0].Partition != 1 || muster.CodeOf(faults[0].Cause) != muster.PermissionDenied {
		t.Errorf("faults %v", faults)
	}
	refuse.Remove()
	deadline := time.Now().Add(90 * time.Second)
	for lane.Commit(t.Context(), d) != nil {
		if time.Now().After(deadline) {
			t.Fatal("the topic is not found again")
		}
	}
	if n := len(b.committed(g.CommandTopic(""))); n != 1 {
		t.Errorf("%d commands arrived, want 1", n)
	}
}

// Trouble on the way to the metadata is nobody's fault.
func TestTargetThatCannotBeLookedUp(t *testing.T) {
	b := newBed(t, 1)
	g := b.till(2)
	lane := b.open().Lane(0)
	b.warm(lane, 2)
	b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: g.CommandTopic(""), Err: kerr.UnknownServerError, Count: 1})
	d := b.decide("c1", 1)
	b.write(d, g, 0)
	err := lane.Commit(t.Context(), d)
	want(t, err, muster.ErrAborted)
	if faults := muster.RecordFaults(err); len(faults) != 0 {
		t.Errorf("faults %v", faults)
	}
	want(t, lane.Commit(t.Context(), d), nil)
}

func TestTooLargeWrittenCommandIsBlamed(t *testing.T) {
	b := newBed(t, 1)
	g := b.till(2)
	lane := b.open().Lane(0)
	d := b.decide("c1", 1)
	b.write(d, g, 1)
	d.Commands[0].Command.Payload = bytes.Repeat([]byte{'x'}, 2<<20)
	faults := b.blamedFor(lane.Commit(t.Context(), d), g)
	if len(faults) != 1 || faults[0].CommandID != "c1" || faults[0].Partition != 1 || faults[0].Target != "" {
		t.Errorf("faults %+v", faults)
	}
}
