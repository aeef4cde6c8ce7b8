package service

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// State says what a partition of an owned group is doing on this instance.
type State string

// The states of a partition.
const (
	Recovering State = "recovering" // its journal is being read; its commands wait
	Serving    State = "serving"
	Stopped    State = "stopped"  // its journal cannot be folded; Reason and Cause say why; its commands wait
	Released   State = "released" // another instance has it, or none; rows are kept warm for a while
)

// PartitionStatus is what an operator should know about one partition.
type PartitionStatus struct {
	Group     string
	Partition int32
	State     State
	Reason    string // a stable word: why it is in this state; empty while serving
	Cause     error
	Since     time.Time
	Waiting   int               // commands that wait for another try, or behind one that does
	Crowded   bool              // as many wait as may, so further commands of the partition are held back
	Recovery  *RecoveryProgress // how far, while it is recovering and something is known; else nil
}

// board holds the status of all partitions this instance has had. Stops, recoveries and releases are written here before they are
// logged, so that readiness, metrics and log read one record.
type board struct {
	now func() time.Time

	mu      sync.Mutex // guards what follows
	by      map[boardKey]PartitionStatus
	changed chan struct{} // closed and replaced at every change
}

type boardKey struct {
	group     string
	partition int32
}

func newBoard(now func() time.Time) *board {
	return &board{now: now, by: map[boardKey]PartitionStatus{}, changed: make(chan struct{})}
}

func (b *board) set(group string, partition int32, state State, reason string, cause error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := boardKey{group, partition}
	since := b.now()
	if old, had := b.by[key]; had && old.State == state {
		since = old.Since
	}
	b.by[key] = PartitionStatus{Group: group, Partition: partition, State: state, Reason: reason, Cause: cause, Since: since}
	b.announce()
}

// progress notes how far the recovery of a partition is. It wakes nobody.
func (b *board) progress(group string, partition int32, is RecoveryProgress) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := boardKey{group, partition}
	if s, had := b.by[key]; had && s.State == Recovering {
		s.Recovery = &is
		b.by[key] = s
	}
}

// recovering adds up how far the journals of a group's recovering partitions are read; left is the longest of them, in seconds.
func (b *board) recovering(group string) (done, total, left float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, s := range b.by {
		if key.group == group && s.State == Recovering && s.Recovery != nil && s.Recovery.Stage == stageJournal {
			done, total, left = done+float64(s.Recovery.Done), total+float64(s.Recovery.Total), max(left, s.Recovery.Left)
		}
	}
	return done, total, left
}

func (b *board) announce() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// touch wakes those who wait for a change that is not a partition's.
func (b *board) touch() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.announce()
}

// changes gives a channel that is closed at the next change.
func (b *board) changes() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed
}

// list gives all of it, sorted by group and partition.
func (b *board) list() []PartitionStatus {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]PartitionStatus, 0, len(b.by))
	for _, s := range b.by {
		all = append(all, s)
	}
	slices.SortFunc(all, func(x, y PartitionStatus) int {
		return cmp.Or(cmp.Compare(x.Group, y.Group), cmp.Compare(x.Partition, y.Partition))
	})
	return all
}

// count gives the number of partitions of a group in a state.
func (b *board) count(group string, state State) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for key, s := range b.by {
		if key.group == group && s.State == state {
			n++
		}
	}
	return n
}

// suspends makes a partition that is serving a recovering one, for a reason; false when it does something else.
func (b *board) suspends(group string, partition int32, reason string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := boardKey{group, partition}
	if b.by[key].State != Serving {
		return false
	}
	b.by[key] = PartitionStatus{Group: group, Partition: partition, State: Recovering, Reason: reason, Since: b.now()}
	b.announce()
	return true
}

// is tells whether a partition is in a state for a reason.
func (b *board) is(group string, partition int32, state State, reason string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.by[boardKey{group, partition}]
	return s.State == state && s.Reason == reason
}

func (b *board) state(group string, partition int32) State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.by[boardKey{group, partition}].State
}
