package muster_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/seed-3eec0498/muster"
)

// store is a States in memory. It copies what it is given and gives out copies, so that an aliasing mistake shows as a wrong state.
type store struct {
	mu       sync.Mutex // guards what follows: units load at once
	states   map[string]muster.StoredState
	answers  map[string]muster.Remembered
	next     map[int32]int64
	loads    int
	failLoad error // not nil: Load answers it
}

func newStore() *store {
	return &store{states: map[string]muster.StoredState{}, answers: map[string]muster.Remembered{}, next: map[int32]int64{}}
}

func storeKey(partition int32, name string) string { return fmt.Sprint(partition, " ", name) }

func (s *store) Load(partition int32, id string) (muster.StoredState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loads++
	if s.failLoad != nil {
		return muster.StoredState{}, s.failLoad
	}
	state, ok := s.states[storeKey(partition, id)]
	if !ok {
		return muster.StoredState{AggregateID: id}, nil
	}
	state.Data = bytes.Clone(state.Data)
	return state, nil
}

func (s *store) Answered(partition int32, id string) (muster.Remembered, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer, ok := s.answers[storeKey(partition, id)]
	answer.Outcome = bytes.Clone(answer.Outcome)
	return answer, ok, nil
}

// Store holds what it is given against the relations [muster.Changes] promises.
func (s *store) Store(_ context.Context, changes []muster.Changes) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range changes {
		c := &changes[i]
		for _, state := range c.States {
			if state.Offset >= c.Next || state.Revision == 0 || state.Data == nil {
				return fmt.Errorf("state of %q: revision %d, offset %d, next %d, data %q", state.AggregateID, state.Revision, state.Offset, c.Next, state.Data)
			}
			if old := s.states[storeKey(c.Partition, state.AggregateID)]; state.Revision <= old.Revision || state.Offset <= old.Offset && old.Revision > 0 {
				return fmt.Errorf("state of %q goes from revision %d to %d", state.AggregateID, old.Revision, state.Revision)
			}
			state.Data = bytes.Clone(state.Data)
			s.states[storeKey(c.Partition, state.AggregateID)] = state
		}
		for _, answer := range c.Answers {
			if answer.Offset >= c.Next || answer.CommandID == "" {
				return fmt.Errorf("answer to %q at offset %d, next %d", answer.CommandID, answer.Offset, c.Next)
			}
			answer.Outcome = bytes.Clone(answer.Outcome)
			s.answers[storeKey(c.Partition, answer.CommandID)] = answer
		}
		if c.Next < s.next[c.Partition] {
			return errors.New("next goes back")
		}
		s.next[c.Partition] = c.Next
	}
	return nil
}

// end gives the journal offset up to which a partition is stored.
func (s *store) end(partition int32) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next[partition]
}

// journal is the event topic as a broker holds it: offsets are taken by events, by end markers, by records of others.
type journal struct {
	prefix string
	events map[int32][]muster.Event
	end    map[int32]int64
}

func newJournal() *journal {
	return &journal{events: map[int32][]muster.Event{}, end: map[int32]int64{}}
}

// append takes offsets for the events, as a sink does, and keeps copies of them.
func (j *journal) append(events []muster.Event) {
	for i := range events {
		e := &events[i]
		e.Topic, e.Offset = j.prefix+e.Group+".events", j.end[e.Partition]
		j.end[e.Partition]++
		kept := *e
		kept.Payload, kept.Answer = bytes.Clone(e.Payload), bytes.Clone(e.Answer)
		j.events[e.Partition] = append(j.events[e.Partition], kept)
	}
}

// markers ends a transaction: one more offset is taken in every partition it wrote to.
func (j *journal) markers(events []muster.Event) {
	for partition := range partitionsOf(events) {
		j.end[partition]++
	}
}

// aborted takes the offsets of a transaction that readers never see.
func (j *journal) aborted(events []muster.Event) {
	for i := range events {
		j.end[events[i].Partition]++
	}
	j.markers(events)
}

func partitionsOf(events []muster.Event) map[int32]bool {
	touched := map[int32]bool{}
	for i := range events {
		touched[events[i].Partition] = true
	}
	return touched
}

// eventAnswers are the answers that a journal holds: those of commands that wrote events. allAnswers are refusals too.
const (
	eventAnswers = false
	allAnswers   = true
)

// sameStores compares two stores byte for byte.
func sameStores(t errorer, want, got *store, answers bool) {
	t.Helper()
	if len(want.states) != len(got.states) {
		t.Errorf("%d states, want %d", len(got.states), len(want.states))
	}
	for key, a := range want.states {
		b := got.states[key]
		if a.AggregateID != b.AggregateID || a.Revision != b.Revision || a.Offset != b.Offset || !bytes.Equal(a.Data, b.Data) {
			t.Errorf("state %s:\ngot  %+v %s\nwant %+v %s", key, b, b.Data, a, a.Data)
		}
	}
	count := 0
	for key, a := range want.answers {
		if answers == eventAnswers && a.Offset < 0 {
			continue
		}
		count++
		b := got.answers[key]
		if a.CommandID != b.CommandID || a.Fingerprint != b.Fingerprint || a.Revision != b.Revision || a.Offset != b.Offset || !a.Time.Equal(b.Time) || !bytes.Equal(a.Outcome, b.Outcome) {
			t.Errorf("answer %s:\ngot  %+v\nwant %+v", key, b, a)
		}
	}
	if count != len(got.answers) {
		t.Errorf("%d answers, want %d", len(got.answers), count)
	}
}

// errorer is what sameStores needs of a test; rapid's T has it too.
type errorer interface {
	Helper()
	Errorf(format string, args ...any)
}
