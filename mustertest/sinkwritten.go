package mustertest

import (
	"fmt"
	"slices"
	"time"

	"github.com/seed-3eec0498/muster"
)

// write makes a command that the handler of cause, a command in the partition, wrote to the group.
func (s *sinkSuite) write(to *muster.Group, cause string, partition int32, n int) muster.Written {
	return muster.Written{
		Group: to, Origin: partition,
		Command: muster.Command{
			Meta: muster.Meta{
				ID: fmt.Sprint(cause, "-", n), Type: "bank.Deposit", Group: to.Name(), AggregateID: fmt.Sprint("box-", n), Time: time.Unix(1_800_000_000, 0).UTC(),
				CorrelationID: cause, CausationID: cause, ContentType: "application/octet-stream",
			},
			Payload: []byte(cause), Hops: 1,
		},
	}
}

// delivered fails the test unless the target's commands are those with the given ids, once each.
func (s *sinkSuite) delivered(ids ...string) {
	s.Helper()
	var got []string
	for _, c := range s.Written() {
		got = append(got, c.ID)
		if c.Fault != nil || c.Hops != 1 || string(c.Payload) != c.CausationID {
			s.Errorf("command %s arrived as %+v", c.ID, c)
		}
	}
	slices.Sort(got)
	slices.Sort(ids)
	if !slices.Equal(got, ids) {
		s.Errorf("commands %q arrived, want %q", got, ids)
	}
}

func (s *sinkSuite) written() {
	d := &muster.Decision{
		Group: s.Group, Events: []muster.Event{s.event(0, "c1"), s.event(1, "c2")}, Dead: []muster.DeadLetter{s.deadLetter(1, "c3")},
		Offsets: []muster.Progress{{Partition: 0, Next: 1}, {Partition: 1, Next: 2}},
	}
	var ids []string
	for n := range 40 { // in all partitions of the target
		w := s.write(s.Target, "c1", 0, n)
		ids, d.Commands = append(ids, w.Command.ID), append(d.Commands, w)
	}
	if s.Break != nil {
		s.Break()
		s.want(d, muster.ErrAborted)
		s.delivered()
	}
	s.want(d, nil)
	s.visible(0, "c1")
	s.visible(1, "c2")
	s.delivered(ids...)
}

func (s *sinkSuite) writtenOnly() {
	w := s.write(s.Target, "c1", 1, 0)
	s.want(&muster.Decision{Group: s.Group, Commands: []muster.Written{w}, Offsets: []muster.Progress{{Partition: 1, Next: 1}}}, nil)
	s.delivered(w.Command.ID)
	s.consumed(1, 1)
}

func (s *sinkSuite) nowhere() {
	missing := muster.NewGroup("nobody-made-this")
	more := muster.NewGroup(s.Target.Name(), muster.Partitions(int(s.Target.Partitions())+1))
	d := &muster.Decision{
		Group: s.Group, Events: []muster.Event{s.event(0, "c1"), s.event(1, "c2"), s.event(1, "c3")},
		Commands: []muster.Written{s.write(missing, "c1", 0, 0), s.write(s.Target, "c2", 1, 1), s.write(more, "c3", 1, 2)},
		Offsets:  []muster.Progress{{Partition: 0, Next: 1}, {Partition: 1, Next: 1}},
	}
	s.want(d, muster.ErrAborted)
	blamed := map[string]*muster.RecordFault{}
	for _, f := range muster.RecordFaults(s.Sink.Commit(s.Context(), d)) {
		blamed[f.CommandID] = f
	}
	if len(blamed) != 2 || blamed["c1"] == nil || blamed["c1"].Target != missing.Name() || blamed["c1"].Partition != 0 ||
		blamed["c3"] == nil || blamed["c3"].Target != more.Name() || blamed["c3"].Partition != 1 {
		s.Errorf("blamed: %+v", blamed)
	}
	s.visible(0)
	s.visible(1)
	s.delivered()
	s.consumed(0, -1)
	d.Events, d.Commands = d.Events[1:2], d.Commands[1:2]
	s.want(d, nil)
	s.visible(1, "c2")
	s.delivered("c2-1")
}
