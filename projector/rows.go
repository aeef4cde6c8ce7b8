package projector

import (
	"fmt"
	"math"
	"sync/atomic"
	"unicode/utf8"

	"github.com/seed-3eec0498/muster"
)

// Rows is what the functions of a [View] read and write: the rows of their shard as the batch has made them so far. Nothing of it is seen by
// queries before the batch is committed, together with the checkpoint. It belongs to the function until that returns, and to one goroutine.
//
// Errors are of two sorts. A bad key, a row that is too large or cannot be encoded is the function's own: [muster.InvalidArgument]. What the
// store answers is [ErrStore]; return it, and the event is not charged with it.
type Rows[V any] struct {
	view     *View[V]
	b        *storeBatch
	byKey    map[string]*kept[V]
	spare    []kept[V]    // room for rows, so that each is no allocation of its own
	order    []ordered[V] // those that flush writes
	room     []byte       // that payloads are encoded into, one behind the other; what is free of it
	whole    []byte       // all of room
	counters map[string]*count
	over     atomic.Bool // the batch has ended; set by the runner's goroutine, read by a function that outlived its deadline
	err      error       // what every call answers
}

// kept is one row in the hands of a batch.
//
//	loaded:  what is stored under the key is known: there, payload, old
//	dirty:   it differs from that
//	there and not valid implies encoded, but for a row whose Update has panicked
type kept[V any] struct {
	key     string
	value   V
	event   string // the last one that changed it, see Running.ID
	payload []byte // encoded
	content string // of payload
	old     []entry
	now     []entry // of payload, where indexed
	loaded  bool
	dirty   bool
	there   bool // there is a row
	valid   bool // value is the row, and nobody else has a part of it
	encoded bool // payload is the row
	indexed bool // now is known
}

// count is one counter in the hands of a batch.
type count struct {
	value int64
	dirty bool
}

// rows is what a batch needs of Rows, whatever V.
type rows interface {
	flush(w *rowWriter) error
	erase(keys []string, all bool) error
	each(fn func(key string)) // that was changed
	end()
}

const reuse = 4096 // rows that a Rows keeps room for between batches

func newRows[V any](v *View[V], b *storeBatch) *Rows[V] {
	return &Rows[V]{view: v, b: b, byKey: map[string]*kept[V]{}}
}

// again makes a Rows whose batch was committed ready for the next one.
func (r *Rows[V]) again(b *storeBatch) {
	if len(r.byKey) > reuse {
		r.byKey, r.spare, r.order = map[string]*kept[V]{}, nil, nil
	}
	clear(r.byKey)
	clear(r.order)
	clear(r.counters)
	r.spare, r.room = r.spare[:0], r.whole
	r.b = b
	r.over.Store(false)
}

func (r *Rows[V]) each(fn func(key string)) {
	for key, k := range r.byKey {
		if k.dirty {
			fn(key)
		}
	}
}

func (r *Rows[V]) end() { r.over.Store(true) }

// Get gives the row under a key, and whether there is one. The value is the function's own: changing it changes nothing before it is [Rows.Put].
func (r *Rows[V]) Get(key string) (V, bool, error) {
	var none V
	k, err := r.find(key, true)
	if err != nil || !k.there {
		return none, false, err
	}
	v, err := r.copyOf(k)
	return v, err == nil, err
}

// Put sets the row under a key. The value is encoded at once, or copied, so that it stays the function's own. Where many events change one row,
// [Rows.Update] is cheaper: it encodes the row once per batch.
func (r *Rows[V]) Put(key string, v V) error {
	k, err := r.find(key, len(r.view.indexes) > 0)
	if err != nil {
		return err
	}
	if nothing(r.view.shape, v) {
		return r.refuse(key, "the row is a nil message; use Delete to remove one")
	}
	before := *k
	k.value, k.valid, k.encoded, k.indexed = v, true, false, false
	if r.view.shape != shapeFlat {
		if err := r.encode(k); err != nil {
			*k = before
			return err
		}
		var none V
		k.value, k.valid = none, false
	}
	k.there = true
	r.changed(k)
	return nil
}

// Update changes the row under a key: fn gets it, or an empty one where there is none (a new message, the zero value), may change it in place, and gives
// the row to keep, which belongs to the view from then on.
func (r *Rows[V]) Update(key string, fn func(row V) V) error {
	return r.update(key, r.view.value.Empty, func(v V) (V, error) { return fn(v), nil })
}

func (r *Rows[V]) update(key string, empty func() V, fn func(row V) (V, error)) error {
	k, err := r.find(key, true)
	if err != nil {
		return err
	}
	switch {
	case !k.there:
		k.value = empty()
	case !k.valid:
		if k.value, err = r.decode(k); err != nil {
			return err
		}
	}
	k.valid = false // until fn has returned: what it leaves behind when it panics is no row
	v, err := fn(k.value)
	if err != nil {
		return err
	}
	if nothing(r.view.shape, v) {
		return r.refuse(key, "Update made a nil message of the row; use Delete to remove one")
	}
	k.value, k.valid, k.encoded, k.indexed, k.there = v, true, false, false, true
	r.changed(k)
	return nil
}

// Delete removes the row under a key. It is no error when there is none.
func (r *Rows[V]) Delete(key string) error {
	k, err := r.find(key, len(r.view.indexes) > 0)
	if err != nil {
		return err
	}
	var none V
	k.value, k.payload, k.valid, k.encoded, k.indexed, k.now = none, nil, false, false, true, nil
	k.there = false
	r.changed(k)
	return nil
}

func (r *Rows[V]) changed(k *kept[V]) { k.dirty, k.event = true, r.b.running.ID }

// Add changes a named counter by n. A counter is there from its first Add; it belongs to the shard, and queries see the sum over all shards.
func (r *Rows[V]) Add(counter string, n int64) error {
	c, err := r.counter(counter)
	if err != nil {
		return err
	}
	if n > 0 && c.value > math.MaxInt64-n || n < 0 && c.value < math.MinInt64-n {
		return r.refuse(counter, "the counter would leave the range of 64 bits")
	}
	c.value, c.dirty = c.value+n, true
	return nil
}

// Count gives a named counter of this shard, 0 where nothing was added to it.
func (r *Rows[V]) Count(counter string) (int64, error) {
	c, err := r.counter(counter)
	if err != nil {
		return 0, err
	}
	return c.value, nil
}

func (r *Rows[V]) counter(name string) (*count, error) {
	if err := r.usable(name); err != nil {
		return nil, err
	}
	if c := r.counters[name]; c != nil {
		return c, nil
	}
	value, err := r.b.counter(name)
	if err != nil {
		return nil, err
	}
	if r.counters == nil {
		r.counters = map[string]*count{}
	}
	c := &count{value: value}
	r.counters[name] = c
	return c, nil
}

// usable tells whether the batch goes on and the key may name something.
func (r *Rows[V]) usable(key string) error {
	if r.err != nil {
		return r.err
	}
	if r.over.Load() {
		return muster.Errorf(muster.FailedPrecondition, "view %s: its batch has ended; a function must not use Rows after it has returned or run over its deadline", r.view)
	}
	return checkRowKey(r.view.String(), key)
}

// checkRowKey tells whether key may be the key of a row or the name of a counter.
func checkRowKey(view, key string) error {
	if key == "" || len(key) > MaxRowKey {
		return muster.Errorf(muster.InvalidArgument, "view %s: a key has 1 to %d bytes, this one has %d", view, MaxRowKey, len(key))
	}
	if !utf8.ValidString(key) {
		return muster.Errorf(muster.InvalidArgument, "view %s: a key is not valid UTF-8; encode it, as with base64", view)
	}
	return nil
}

// find gives the row in hand; stored says that what is stored must be known, too.
func (r *Rows[V]) find(key string, stored bool) (*kept[V], error) {
	k := r.byKey[key]
	if k == nil || r.over.Load() {
		if err := r.usable(key); err != nil {
			return nil, err
		}
		if len(r.spare) == cap(r.spare) {
			r.spare = make([]kept[V], 0, min(max(64, 2*cap(r.spare)), reuse))
		}
		r.spare = append(r.spare, kept[V]{key: key})
		k = &r.spare[len(r.spare)-1]
		r.byKey[key] = k
	}
	if k.there && !k.valid && !k.encoded {
		return nil, r.refuse(key, "an Update of it failed in this batch")
	}
	if stored && !k.loaded {
		s, there, err := r.b.row(key)
		if err != nil {
			return nil, err
		}
		k.loaded, k.old = true, s.entries
		if !k.dirty {
			k.there, k.encoded, k.payload, k.content = there, there, s.payload, s.content
		}
	}
	return k, nil
}

func (r *Rows[V]) refuse(key, format string, args ...any) error {
	return muster.Errorf(muster.InvalidArgument, "view %s: key %q: %s", r.view, key, fmt.Sprintf(format, args...))
}
