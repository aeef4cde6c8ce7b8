package mustertest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/seed-3eec0498/muster"
)

// MemoryStates is a [muster.States] in memory. All partitions are there from the beginning, and command ids are remembered for good. It is
// safe for concurrent use.
type MemoryStates struct {
	mu         sync.RWMutex // guards what follows
	partitions map[int32]*memoryPartition
}

// memoryPartition belongs to its MemoryStates' mutex.
type memoryPartition struct {
	states  map[string]muster.StoredState
	answers map[string]muster.Remembered
	next    int64
}

var _ muster.States = (*MemoryStates)(nil)

// NewMemoryStates makes an empty one.
func NewMemoryStates() *MemoryStates {
	return &MemoryStates{partitions: map[int32]*memoryPartition{}}
}

// Load gives the stored state of an aggregate; Revision 0 when there is none.
func (m *MemoryStates) Load(partition int32, aggregateID string) (muster.StoredState, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	state := muster.StoredState{}
	if p := m.partitions[partition]; p != nil {
		state = p.states[aggregateID]
	}
	state.AggregateID, state.Data = aggregateID, slices.Clone(state.Data)
	return state, nil
}

// Answered gives what is remembered of a command id, and false when nothing is.
func (m *MemoryStates) Answered(partition int32, commandID string) (muster.Remembered, bool, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	p := m.partitions[partition]
	if p == nil {
		return muster.Remembered{}, false, nil
	}
	answer, ok := p.answers[commandID]
	answer.Outcome = slices.Clone(answer.Outcome)
	return answer, ok, nil
}

// Store keeps all changes, or none where one of them would move its partition back.
func (m *MemoryStates) Store(_ context.Context, changes []muster.Changes) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := map[int32]int64{}
	for i := range changes {
		c := &changes[i]
		if _, seen := next[c.Partition]; !seen {
			next[c.Partition] = m.next(c.Partition)
		}
		if err := checkChanges(c, next[c.Partition]); err != nil {
			return err
		}
		next[c.Partition] = c.Next
	}
	for i := range changes {
		m.store(&changes[i])
	}
	return nil
}

// Next gives the journal offset a partition is at.
func (m *MemoryStates) Next(partition int32) int64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.next(partition)
}

// Reset forgets a partition.
func (m *MemoryStates) Reset(partition int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.partitions, partition)
}

// next is called with mu held.
func (m *MemoryStates) next(partition int32) int64 {
	if p := m.partitions[partition]; p != nil {
		return p.next
	}
	return 0
}

// store is called with mu held.
func (m *MemoryStates) store(c *muster.Changes) {
	p := m.partitions[c.Partition]
	if p == nil {
		p = &memoryPartition{states: map[string]muster.StoredState{}, answers: map[string]muster.Remembered{}}
		m.partitions[c.Partition] = p
	}
	for _, s := range c.States {
		if s.Revision == 0 {
			delete(p.states, s.AggregateID)
			continue
		}
		s.Data = append([]byte{}, s.Data...)
		p.states[s.AggregateID] = s
	}
	for _, a := range c.Answers {
		if a.Time.IsZero() {
			a.Time = c.Time
		}
		a.Outcome = slices.Clone(a.Outcome)
		p.answers[a.CommandID] = a
	}
	p.next = c.Next
}

func checkChanges(c *muster.Changes, stored int64) error {
	if c.Next < stored {
		return fmt.Errorf("partition %d: the changes end at journal offset %d, the store is at %d already", c.Partition, c.Next, stored)
	}
	for i := range c.States {
		if s := &c.States[i]; s.Revision != 0 && (s.Offset < 0 || s.Offset >= c.Next) {
			return fmt.Errorf("partition %d: a state lies at offset %d, the changes end at %d", c.Partition, s.Offset, c.Next)
		}
	}
	return nil
}
