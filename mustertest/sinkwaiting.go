package mustertest

import (
	"slices"

	"github.com/seed-3eec0498/muster"
)

// waiting commits with and without events while commands wait. The committed offset must never pass one of them: a reader that knows of
// nothing else would lose it.
func (s *sinkSuite) waiting() {
	first := muster.Progress{Partition: 0, Next: 12, Waiting: []int64{3, 4, 9}}
	s.want(&muster.Decision{Group: s.Group, Events: []muster.Event{s.event(0, "c1")}, Offsets: []muster.Progress{first}}, nil)
	s.left(first)
	second := muster.Progress{Partition: 0, Next: 20, Waiting: []int64{4}}
	s.want(&muster.Decision{Group: s.Group, Offsets: []muster.Progress{second}}, nil)
	s.left(second)
	third := muster.Progress{Partition: 0, Next: 21}
	if s.Break != nil {
		s.Break()
		s.want(&muster.Decision{Group: s.Group, Events: []muster.Event{s.event(0, "c2")}, Offsets: []muster.Progress{third}}, muster.ErrAborted)
		s.left(second)
	}
	s.want(&muster.Decision{Group: s.Group, Offsets: []muster.Progress{third}}, nil)
	s.left(third)
	s.consumed(0, 21)
}

func (s *sinkSuite) left(want muster.Progress) {
	s.Helper()
	got := s.Progress(want.Partition)
	if got.Partition != want.Partition || got.Next != want.Next || !slices.Equal(got.Waiting, want.Waiting) {
		s.Errorf("the next owner finds %+v, want %+v", got, want)
	}
	if len(want.Waiting) > 0 {
		s.consumed(want.Partition, want.Waiting[0])
	}
}
