package muster

import "sync/atomic"

// owned is what the processor holds of one partition, between and during rounds. The lane that has the partition in hand reads and
// writes it; its units touch only their own resident.
//
//	a resident is in dirty   <=>  it accepted events in the round in hand, which are not stored yet
//	next <= offset of the next event this owner appends; the gap is at most markers, or the round before was aborted
type owned struct {
	partition  int32
	size       atomic.Int64         // decoded aggregates, as of the end of the last round; metrics read
	limit      int                  // decoded aggregates per generation
	young, old map[string]*resident // two generations; the old one is dropped when the young one is full
	dirty      []*resident
	seen       map[string]int // command id -> index of its first command in the round in hand

	next    int64 // journal offset after the last known event or marker
	markers int64 // transactions of this owner whose end marker is not accounted for in next
	loose   bool  // a transaction was aborted: its records take offsets nobody told us of

	slices   uint64   // slices of rounds made so far
	round    uint64   // number of the round in hand, from 1
	progress Progress // what is consumed, with what the round has decided so far
	moved    bool     // the round has decided something
	room     int      // how many further commands the slice in the making may have that are new
}

// resident is one decoded aggregate. One unit at a time has it in hand.
type resident struct {
	id       string
	loaded   bool // false: the rest must be read from the store before use
	state    any
	revision uint64
	offset   int64     // journal offset of the last stored event; events up to it are folded in
	accepted [][]Event // of the round in hand, a slice per command; rollback folds them again
	encoded  []byte    // the state after accepted; set when the unit ends
	slice    uint64    // number of the last slice it was in; unit is its unit there
	unit     int
	blocked  uint64       // number of the last round in which a command of it was left waiting
	touched  int          // where a Folding that has touched it since its last Cut has noted that; of no meaning where something else stands there
	stored   int          // bytes of the stored state when it was loaded
	subjects []SubjectRef // see StoredState.Subjects
	indexed  int          // so many of them are in the store's index
}

func newOwned(partition int32, limit int, next int64) *owned {
	return &owned{
		partition: partition, limit: limit, young: map[string]*resident{}, old: map[string]*resident{},
		seen: map[string]int{}, next: next,
	}
}

// resident gives the aggregate's place in memory, an unloaded one when it is not there.
func (o *owned) resident(id string) *resident {
	if r, ok := o.young[id]; ok {
		return r
	}
	r, ok := o.old[id]
	if !ok {
		r = &resident{id: id}
	}
	o.young[id] = r
	return r
}

// forget drops everything the round in hand did: its batch was not committed.
func (o *owned) forget() {
	for _, r := range o.dirty {
		r.unload()
	}
	o.loose = true
	o.endRound()
}

// endRound drops the generation that was not used lately, which only now can hold nothing dirty.
func (o *owned) endRound() {
	clear(o.dirty)
	o.dirty = o.dirty[:0]
	clear(o.seen)
	o.size.Store(int64(len(o.young) + len(o.old)))
	if len(o.young) > o.limit {
		o.old, o.young = o.young, make(map[string]*resident, o.limit)
	}
}

// appended moves next over an event of this owner and tells whether its place can be explained by this owner's own records.
func (o *owned) appended(offset int64) bool {
	gap := offset - o.next
	o.next = offset + 1
	if o.loose {
		return gap >= 0
	}
	o.markers -= gap
	return gap >= 0 && o.markers >= 0
}

// committed notes that a transaction with events in this partition ended.
func (o *owned) committed() {
	o.loose = false
	o.markers = max(o.markers, 0) + 1
}

// unload makes the next use read the store again. The state object is left to whoever still has it in hand.
func (r *resident) unload() {
	r.loaded, r.state, r.revision, r.accepted, r.encoded, r.subjects, r.indexed = false, nil, 0, nil, nil, nil, 0
}
