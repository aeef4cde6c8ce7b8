package mustertest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
)

// SinkFixture is a [muster.Sink] under test, with eyes on what it makes durable and hands on what stands in its way.
type SinkFixture struct {
	Sink  muster.Sink
	Group *muster.Group // at least two partitions; its topics are empty

	// Partition says where an aggregate's messages go.
	Partition func(aggregateID string) int32
	// Events gives what a read_committed reader sees of a journal partition, in log order, with Topic, Partition and Offset.
	Events func(partition int32) []muster.Event
	// Dead gives the command ids of the dead letters that such a reader sees, in log order.
	Dead func(partition int32) []string
	// Consumed gives the committed offset of a command partition, or -1.
	Consumed func(partition int32) int64
	// Progress gives what the next owner of a command partition finds: what is consumed, and what waits.
	Progress func(partition int32) muster.Progress

	// Target is another group, whose command topic exists and is empty. Written gives the commands that such a reader sees there.
	Target  *muster.Group
	Written func() []muster.Command

	// Take gives a partition to another owner. From then on commits that touch it must be refused. Nil where there are no owners.
	Take func(partition int32)
	// Break lets the next commit with events fail before it is durable. Nil where nothing can fail.
	Break func()
}

// Sink holds an implementation of [muster.Sink] against the port's promises. Every implementation's tests call it; open is called once for
// each subtest and registers its own cleanup.
func Sink(t *testing.T, open func(t *testing.T) SinkFixture) {
	t.Helper()
	run := func(name string, test func(s *sinkSuite)) {
		t.Run(name, func(t *testing.T) { test(&sinkSuite{T: t, SinkFixture: open(t), count: map[string]int{}}) })
	}
	run("all of a decision becomes visible", (*sinkSuite).all)
	run("offsets move without events", (*sinkSuite).offsetsOnly)
	run("what waits is kept with the offset", (*sinkSuite).waiting)
	run("an empty decision is committed at once", func(s *sinkSuite) { s.want(&muster.Decision{Group: s.Group}, nil) })
	run("written commands are part of the decision", (*sinkSuite).written)
	run("written commands alone are a decision", (*sinkSuite).writtenOnly)
	run("a command to nowhere is blamed on who wrote it", (*sinkSuite).nowhere)
	run("decisions follow one another in the log", (*sinkSuite).order)
	run("the decision is not kept", (*sinkSuite).notKept)
	run("a partition of another owner is fenced", (*sinkSuite).fenced)
	run("an aborted decision leaves nothing and can be repeated", (*sinkSuite).aborted)
}

type sinkSuite struct {
	*testing.T
	SinkFixture
	count map[string]int // events made, by aggregate
}

// aggregate finds an id whose partition is the given one.
func (s *sinkSuite) aggregate(partition int32) string {
	s.Helper()
	for n := range 100_000 {
		if id := "acc-" + strconv.Itoa(n); s.Partition(id) == partition {
			return id
		}
	}
	s.Fatalf("no aggregate id found for partition %d", partition)
	return ""
}

// event makes the next event of the partition's aggregate, the only one of its command.
func (s *sinkSuite) event(partition int32, command string) muster.Event {
	id := s.aggregate(partition)
	s.count[id]++
	now := time.Unix(1_800_000_000, 0).UTC()
	return muster.Event{
		Meta: muster.Meta{
			ID: command + "/0", Type: "bank.Credited", Group: s.Group.Name(), AggregateID: id, Revision: uint64(s.count[id]), Time: now,
			CorrelationID: command, CausationID: command, ContentType: "application/octet-stream", Partition: partition,
		},
		Payload: []byte(command), Count: 1,
	}
}

func (s *sinkSuite) deadLetter(partition int32, command string) muster.DeadLetter {
	now := time.Unix(1_800_000_000, 0).UTC()
	return muster.DeadLetter{
		Command: muster.Command{
			Meta: muster.Meta{
				ID: command, Type: "bank.Deposit", Group: s.Group.Name(), AggregateID: s.aggregate(partition), Time: now,
				CorrelationID: command, ContentType: "application/octet-stream", Topic: s.Group.CommandTopic(""), Partition: partition,
			},
			Payload: []byte(command),
		},
		Cause: muster.Error{Code: muster.Internal, Reason: muster.ReasonPanic, Message: "handler failed"},
		Time:  now,
	}
}

// want commits and fails the test unless the outcome is the wanted one and no other.
func (s *sinkSuite) want(d *muster.Decision, outcome error) {
	s.Helper()
	err := s.Sink.Commit(s.Context(), d)
	for _, one := range []error{muster.ErrAborted, muster.ErrFenced, muster.ErrUnknown} {
		if errors.Is(err, one) != errors.Is(outcome, one) {
			s.Fatalf("commit: %v; want %v and no other outcome", err, outcome)
		}
	}
	if outcome == nil && err != nil {
		s.Fatalf("commit: %v", err)
	}
}

// visible fails the test unless the committed events of a partition are those of the commands, in order.
func (s *sinkSuite) visible(partition int32, commands ...string) {
	s.Helper()
	var ids []string
	last := int64(-1)
	for _, e := range s.Events(partition) {
		ids = append(ids, e.CausationID)
		if e.Offset <= last {
			s.Errorf("partition %d: offset %d after %d", partition, e.Offset, last)
		}
		last = e.Offset
	}
	if !slices.Equal(ids, commands) {
		s.Errorf("partition %d: events of %q are visible, want those of %q", partition, ids, commands)
	}
}

func (s *sinkSuite) consumed(partition int32, next int64) {
	s.Helper()
	if got := s.Consumed(partition); got != next {
		s.Errorf("partition %d is consumed up to %d, want %d", partition, got, next)
	}
}

func (s *sinkSuite) all() {
	d := &muster.Decision{
		Group:   s.Group,
		Events:  []muster.Event{s.event(0, "c1"), s.event(1, "c2"), s.event(0, "c3")},
		Dead:    []muster.DeadLetter{s.deadLetter(1, "c4")},
		Offsets: []muster.Progress{{Partition: 0, Next: 12}, {Partition: 1, Next: 7}},
	}
	s.want(d, nil)
	s.visible(0, "c1", "c3")
	s.visible(1, "c2")
	s.consumed(0, 12)
	s.consumed(1, 7)
	if dead := s.Dead(1); !slices.Equal(dead, []string{"c4"}) {
		s.Errorf("dead letters of %q, want those of c4", dead)
	}
	for _, e := range d.Events {
		there := slices.ContainsFunc(s.Events(e.Partition), func(seen muster.Event) bool { return seen.Position() == e.Position() && seen.ID == e.ID })
		if !there {
			s.Errorf("event %s says that it lies at %v, where it is not", e.ID, e.Position())
		}
	}
}

func (s *sinkSuite) offsetsOnly() {
	s.want(&muster.Decision{Group: s.Group, Offsets: []muster.Progress{{Partition: 1, Next: 3}}}, nil)
	s.consumed(1, 3)
	s.visible(1)
}

func (s *sinkSuite) order() {
	var commands []string
	for n := range 9 { // more than any number of producers that take turns
		command := fmt.Sprint("c", n)
		commands = append(commands, command)
		s.want(&muster.Decision{Group: s.Group, Events: []muster.Event{s.event(0, command)}, Offsets: []muster.Progress{{Partition: 0, Next: int64(n + 1)}}}, nil)
	}
	s.visible(0, commands...)
	s.consumed(0, 9)
}

func (s *sinkSuite) notKept() {
	d := &muster.Decision{Group: s.Group, Events: []muster.Event{s.event(0, "c1")}, Offsets: []muster.Progress{{Partition: 0, Next: 1}}}
	s.want(d, nil)
	d.Events[0].Payload[0] = 'X'
	d.Offsets[0].Next = 99
	s.want(&muster.Decision{Group: s.Group, Offsets: []muster.Progress{{Partition: 1, Next: 1}}}, nil)
	s.consumed(0, 1)
	if got := s.Events(0); len(got) != 1 || string(got[0].Payload) != "c1" {
		s.Errorf("the event changed after its commit: %v", got)
	}
}

func (s *sinkSuite) fenced() {
	if s.Take == nil {
		s.Skip("this sink knows no owners: the fixture has no Take")
	}
	s.Take(1)
	d := &muster.Decision{
		Group: s.Group, Events: []muster.Event{s.event(0, "c1"), s.event(1, "c2")},
		Offsets: []muster.Progress{{Partition: 0, Next: 1}, {Partition: 1, Next: 1}},
	}
	s.want(d, muster.ErrFenced)
	s.want(&muster.Decision{Group: s.Group, Offsets: []muster.Progress{{Partition: 1, Next: 1}}}, muster.ErrFenced)
	s.visible(0)
	s.visible(1)
	s.consumed(0, -1)
	s.consumed(1, -1)
	s.want(&muster.Decision{Group: s.Group, Events: d.Events[:1], Offsets: d.Offsets[:1]}, nil)
	s.visible(0, "c1")
}

func (s *sinkSuite) aborted() {
	if s.Break == nil {
		s.Skip("this sink cannot fail: the fixture has no Break")
	}
	d := &muster.Decision{Group: s.Group, Events: []muster.Event{s.event(0, "c1")}, Offsets: []muster.Progress{{Partition: 0, Next: 1}}}
	s.Break()
	s.want(d, muster.ErrAborted)
	s.visible(0)
	s.consumed(0, -1)
	s.want(d, nil)
	s.visible(0, "c1")
	s.consumed(0, 1)
}
