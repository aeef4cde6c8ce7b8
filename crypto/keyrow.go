package crypto

import (
	"slices"
	"time"
)

// keyRow is all that a key store knows of one subject. What is written about a subject is folded into it, and the fold does not depend on the order of
// what was written at the same time, so all who read the same records come to the same row:
//
//	a life that has a receipt has no entry with key bytes
//	of two candidates for one (life, version) the one born first holds
//	state and generation of an entry never go back
type keyRow struct {
	subject SubjectRef
	life    uint32      // the current one
	ended   []endedLife // by life
	entries []heldKey   // by life, then version
	stale   bool        // the marker that was written last does not say all that is in ended; see [TopicKeys]
}

type endedLife struct {
	Receipt
	changed int64 // place of the last change
}

type heldKey struct {
	Entry
	low, high uint32 // the lowest and the highest generation that ever wrapped it
	changed   int64  // place of the last change
	stale     bool   // what was written last under its id is not what holds; see [TopicKeys]
}

// receipt gives that of a life that has ended, nil when it has not.
func (r *keyRow) receipt(life uint32) *endedLife {
	for i := range r.ended {
		if r.ended[i].Life == life {
			return &r.ended[i]
		}
	}
	return nil
}

// destroyed gives the receipt of the current life.
func (r *keyRow) destroyed() (Receipt, bool) {
	if e := r.receipt(r.life); e != nil {
		return e.copy(), true
	}
	return Receipt{}, false
}

// precedes tells whether a life is the one to come: the current one has ended, and it is the next.
func (r *keyRow) precedes(life uint32) bool { return life == r.life+1 && r.receipt(r.life) != nil }

// active gives the newest key that seals.
func (r *keyRow) active() (Entry, error) {
	if r.receipt(r.life) != nil {
		return Entry{}, ErrShredded
	}
	for _, e := range slices.Backward(r.entries) {
		switch {
		case e.Life != r.life:
		case e.State == EntryDestroyed: // alone; an older one does not come back for it
			return Entry{}, ErrShredded
		case e.State == EntryActive:
			return e.entry(), nil
		}
	}
	return Entry{}, ErrKeyMissing
}

func (r *keyRow) lookup(id KeyID) (Entry, error) {
	switch i := r.index(id); {
	case i < 0:
		return Entry{}, ErrKeyMissing
	case r.entries[i].State == EntryDestroyed:
		return Entry{}, ErrShredded
	default:
		return r.entries[i].entry(), nil
	}
}

func (r *keyRow) index(id KeyID) int {
	return slices.IndexFunc(r.entries, func(e heldKey) bool { return e.ID == id })
}

// holder gives the entry that has a version in the current life.
func (r *keyRow) holder(version uint32) (Entry, bool) {
	for _, e := range r.entries {
		if e.Life == r.life && e.Version == version {
			return e.entry(), true
		}
	}
	return Entry{}, false
}

// takeEntry folds an entry that was written at a place.
func (r *keyRow) takeEntry(e Entry, place int64) {
	r.takeHeld(heldKey{Entry: e, low: e.Generation, high: e.Generation}, place)
}

func (r *keyRow) takeHeld(h heldKey, place int64) {
	if h.Born == 0 {
		h.Born = place
	}
	r.life = max(r.life, h.Life)
	h.Subject, h.Wrapped, h.changed = r.subject, slices.Clone(h.Wrapped), place
	if i := r.index(h.ID); i >= 0 {
		r.entries[i].merge(h)
	} else if !r.contend(h) {
		return
	}
	if end := r.receipt(h.Life); end != nil {
		r.bury(end, place)
	}
}

// contend puts a new entry into the row unless another one holds its version. It tells whether the entry holds now.
func (r *keyRow) contend(h heldKey) bool {
	for i, other := range r.entries {
		if other.Life != h.Life || other.Version != h.Version {
			continue
		}
		if h.Born >= other.Born {
			return false
		}
		r.entries[i] = h
		return true
	}
	at, _ := slices.BinarySearchFunc(r.entries, h, func(a, b heldKey) int {
		if a.Life != b.Life {
			return int(int64(a.Life) - int64(b.Life))
		}
		return int(int64(a.Version) - int64(b.Version))
	})
	r.entries = slices.Insert(r.entries, at, h)
	return true
}

// merge folds a later writing of the same key. The entry is stale when that says less than what holds. One that was born later is another candidate's, where
// ids are no random ones: it does not hold.
func (h *heldKey) merge(later heldKey) {
	h.stale = later.State < h.State || later.Generation < h.Generation || later.Born > h.Born
	h.State = max(h.State, later.State)
	if later.Born <= h.Born && later.Generation >= h.Generation && len(later.Wrapped) > 0 {
		h.Generation, h.Wrapped = later.Generation, later.Wrapped
	}
	h.low, h.high = min(h.low, later.low), max(h.high, later.high)
	h.Born = min(h.Born, later.Born)
	h.changed = later.changed
	if h.State == EntryDestroyed {
		h.stale = len(later.Wrapped) > 0
		h.Wrapped = nil
	}
}

// takeMarker folds receipts of ended lives, and the number of the current one, that were written at a place.
func (r *keyRow) takeMarker(life uint32, receipts []Receipt, place int64) {
	r.life = max(r.life, life)
	for _, told := range receipts {
		told.Subject = r.subject
		end := r.receipt(told.Life)
		if end == nil {
			r.ended = append(r.ended, endedLife{Receipt: told, changed: place})
			slices.SortFunc(r.ended, func(a, b endedLife) int { return int(int64(a.Life) - int64(b.Life)) })
			r.bury(r.receipt(told.Life), place)
			continue
		}
		if told.Time.Before(end.Time) || told.Time.Equal(end.Time) && told.Erasure < end.Erasure {
			end.Time, end.Erasure = told.Time, told.Erasure
		}
		for _, id := range told.Keys {
			end.name(id)
		}
		end.reach(told.Generations...)
	}
	r.stale = life < r.life || !slices.EqualFunc(r.ended, receipts, func(e endedLife, told Receipt) bool { return e.same(told) })
}

// bury takes the key bytes of a life that has ended, and has its receipt name all that were there.
func (r *keyRow) bury(end *endedLife, place int64) {
	for i := range r.entries {
		e := &r.entries[i]
		if e.Life != end.Life {
			continue
		}
		if end.cover(e) {
			end.changed, r.stale = place, true
		}
		if e.State != EntryDestroyed || len(e.Wrapped) > 0 {
			e.stale = len(e.Wrapped) > 0
			e.State, e.Wrapped, e.changed = EntryDestroyed, nil, place
		}
	}
}

// cover has the receipt name a key and all generations that may have wrapped it. It tells whether it did not yet.
func (e *endedLife) cover(h *heldKey) bool {
	added := e.name(h.ID)
	for n := range h.high - h.low + 1 {
		added = e.reach(h.low+n) || added
	}
	return added
}

func (e *endedLife) name(id KeyID) bool {
	if slices.Contains(e.Keys, id) {
		return false
	}
	e.Keys = append(e.Keys, id)
	slices.SortFunc(e.Keys, func(a, b KeyID) int { return slices.Compare(a[:], b[:]) })
	return true
}

func (e *endedLife) reach(generations ...uint32) (added bool) {
	for _, g := range generations {
		if at, found := slices.BinarySearch(e.Generations, g); !found {
			e.Generations = slices.Insert(e.Generations, at, g)
			added = true
		}
	}
	return added
}

func (e *endedLife) same(other Receipt) bool {
	return e.Life == other.Life && e.Erasure == other.Erasure && e.Time.Equal(other.Time) && slices.Equal(e.Keys, other.Keys) &&
		slices.Equal(e.Generations, other.Generations)
}

func (e *endedLife) copy() Receipt {
	c := e.Receipt
	c.Keys, c.Generations = slices.Clone(e.Keys), slices.Clone(e.Generations)
	return c
}

func (h *heldKey) entry() Entry {
	e := h.Entry
	e.Wrapped = slices.Clone(h.Wrapped)
	return e
}

// ending gives the marker that ends the current life now, or the receipt of an earlier destruction that answers the same wish: of the same erasure, or of
// a life that has not begun again.
func (r *keyRow) ending(erasure string, now time.Time) (marker []Receipt, done *Receipt) {
	for i := range r.ended {
		if r.ended[i].Erasure == erasure || r.ended[i].Life == r.life {
			told := r.ended[i].copy()
			done = &told
			if told.Erasure == erasure {
				break
			}
		}
	}
	if done != nil {
		return nil, done
	}
	end := endedLife{Receipt: Receipt{Subject: r.subject, Life: r.life, Erasure: erasure, Time: now}}
	for i := range r.entries {
		if r.entries[i].Life == r.life {
			end.cover(&r.entries[i])
		}
	}
	return append(r.receipts(), end.Receipt), nil
}

func (r *keyRow) receipts() []Receipt {
	all := make([]Receipt, len(r.ended))
	for i := range r.ended {
		all[i] = r.ended[i].copy()
	}
	return all
}

// changes gives what has happened behind a place, in order.
func (r *keyRow) changes(since int64) []KeyChange {
	type at struct {
		place int64
		KeyChange
	}
	var all []at
	for i := range r.ended {
		if r.ended[i].changed > since {
			told := r.ended[i].copy()
			all = append(all, at{r.ended[i].changed, KeyChange{Destroy: &told}})
		}
	}
	for i := range r.entries {
		if r.entries[i].changed > since && (r.entries[i].State != EntryDestroyed || r.receipt(r.entries[i].Life) == nil) {
			all = append(all, at{r.entries[i].changed, KeyChange{Entry: r.entries[i].entry()}})
		}
	}
	slices.SortStableFunc(all, func(a, b at) int { return int(min(max(a.place-b.place, -1), 1)) })
	told := make([]KeyChange, len(all))
	for i := range all {
		told[i] = all[i].KeyChange
	}
	return told
}
