package journal

import (
	"cmp"
	"hash/maphash"
	"math"
	"slices"
	"sort"
)

// window is the filter in front of the answers of one partition: it holds a 63-bit hash of each command id that is remembered, in
// the order they came, and the record of answers it is in. It says "no" without a read, which is what nearly every command wants to hear,
// and "look there" otherwise. It is not synchronised; its partition is.
//
// Ids have positions 0, 1, 2 ... modulo 2^32, in order of arrival. Records are those of kind answers, without gaps:
//
//	oldest .. oldest+count-1                 the ids held; low is a ring indexed by position
//	first .. first+len(records)-1            the sequences held
//	records[i].end                           position behind the last id of record i
//
// Memory per id: 4 bytes in low and 8 in each of two slots, both with room to double, and 8 per record. A full window of 1 M ids takes
// 20 MB and the marks.
type window struct {
	seed    maphash.Seed
	low     []uint32 // lower half of the hash, by position; a power of two
	slots   []uint64 // hash table with linear probing: upper half of the hash << 32 | position; 0 is free; a power of two
	oldest  uint32
	count   uint32
	first   uint64
	records []mark
}

// mark ends one record.
type mark struct {
	end     uint32
	seconds uint32 // time of the record, Unix seconds, cut off
}

// taken is set in the upper half of every slot in use, so that no slot in use is 0.
const taken = 1 << 31

const smallestWindow = 64

func newWindow(first uint64) *window {
	return &window{seed: maphash.MakeSeed(), low: make([]uint32, smallestWindow), slots: make([]uint64, 2*smallestWindow), first: first}
}

// split gives the two halves of an id's hash. Positions in the table come from low, the tag in it is high.
func (w *window) split(id []byte) (low, high uint32) {
	h := maphash.Bytes(w.seed, id)
	return uint32(h), uint32(h>>32) | taken
}

func (w *window) splitString(id string) (low, high uint32) {
	h := maphash.String(w.seed, id)
	return uint32(h), uint32(h>>32) | taken
}

// add appends one id; it belongs to the record that the next call of seal ends.
func (w *window) add(low, high uint32) {
	if int(w.count) == len(w.low) {
		w.grow()
	}
	at := w.oldest + w.count
	w.low[int(at)&(len(w.low)-1)] = low
	w.insert(low, high, at)
	w.count++
}

func (w *window) insert(low, high, at uint32) {
	mask := uint32(len(w.slots) - 1)
	i := low & mask
	for w.slots[i] != 0 {
		i = (i + 1) & mask
	}
	w.slots[i] = uint64(high)<<32 | uint64(at)
}

// grow doubles ring and table, which stays at most half full.
func (w *window) grow() {
	low := make([]uint32, 2*len(w.low))
	for n := range w.count {
		at := w.oldest + n
		low[int(at)&(len(low)-1)] = w.low[int(at)&(len(w.low)-1)]
	}
	old := w.slots
	w.low, w.slots = low, make([]uint64, 2*len(old))
	for _, slot := range old {
		if slot != 0 {
			at := uint32(slot)
			w.insert(low[int(at)&(len(low)-1)], uint32(slot>>32), at)
		}
	}
}

// seal ends a record; at is its time in Unix microseconds.
func (w *window) seal(at int64) {
	w.records = append(w.records, mark{end: w.oldest + w.count, seconds: seconds(at)})
}

// seconds cuts Unix microseconds off to what a mark can hold: the years 1970 to 2106.
func seconds(at int64) uint32 { return uint32(min(max(at/1e6, 0), math.MaxUint32)) }

// next is the sequence that the next record gets.
func (w *window) next() uint64 { return w.first + uint64(len(w.records)) }

// found names a place where an id may be remembered: the record and the place in it.
type found struct {
	sequence uint64
	place    int
}

// find gives all places where the id may be remembered, the newest first. Nearly always there is none or one.
func (w *window) find(id string) []found {
	low, high := w.splitString(id)
	mask := uint32(len(w.slots) - 1)
	var places []found
	for i := low & mask; w.slots[i] != 0; i = (i + 1) & mask {
		at := uint32(w.slots[i])
		if uint32(w.slots[i]>>32) != high || w.low[int(at)&(len(w.low)-1)] != low {
			continue
		}
		age := at - w.oldest
		n := sort.Search(len(w.records), func(n int) bool { return w.records[n].end-w.oldest > age })
		begin := w.oldest
		if n > 0 {
			begin = w.records[n-1].end
		}
		places = append(places, found{sequence: w.first + uint64(n), place: int(at - begin)})
	}
	if len(places) > 1 {
		slices.SortFunc(places, func(a, b found) int {
			return cmp.Or(cmp.Compare(b.sequence, a.sequence), cmp.Compare(b.place, a.place))
		})
	}
	return places
}

// excess tells how many of the oldest records have to go when extra ids come in: those from before the given Unix microseconds, and
// those beyond the most ids allowed.
func (w *window) excess(extra, most int, before int64) int {
	n, oldest := 0, seconds(before)
	for n < len(w.records) {
		gone := uint32(0)
		if n > 0 {
			gone = w.records[n-1].end - w.oldest
		}
		if int(w.count-gone)+extra <= most && w.records[n].seconds >= oldest {
			break
		}
		n++
	}
	return n
}

// drop forgets the n oldest records.
func (w *window) drop(n int) {
	if n == 0 {
		return
	}
	for end := w.records[n-1].end; w.oldest != end; w.oldest++ {
		w.remove(w.low[int(w.oldest)&(len(w.low)-1)], w.oldest)
		w.count--
	}
	w.first += uint64(n)
	if w.records = w.records[n:]; len(w.records) == 0 {
		w.records = nil
	}
}

// remove frees the slot of one position and closes the gap, so that probing needs no tombstones.
func (w *window) remove(low, at uint32) {
	mask := uint32(len(w.slots) - 1)
	gap := low & mask
	for uint32(w.slots[gap]) != at || w.slots[gap] == 0 {
		gap = (gap + 1) & mask
	}
	for i := (gap + 1) & mask; w.slots[i] != 0; i = (i + 1) & mask {
		home := w.low[int(uint32(w.slots[i]))&(len(w.low)-1)] & mask
		if (i-home)&mask >= (i-gap)&mask { // the gap lies on the way from its home to where it is
			w.slots[gap] = w.slots[i]
			gap = i
		}
	}
	w.slots[gap] = 0
}

// bytes is the memory the window holds.
func (w *window) bytes() int64 { return int64(4*cap(w.low) + 8*cap(w.slots) + 8*cap(w.records)) }
