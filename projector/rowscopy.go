package projector

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/seed-3eec0498/muster"
)

// copyOf gives the row as a value that shares nothing with it.
func (r *Rows[V]) copyOf(k *kept[V]) (V, error) {
	if k.valid {
		switch r.view.shape {
		case shapeFlat:
			return k.value, nil
		case shapeMessage:
			return proto.Clone(any(k.value).(proto.Message)).(V), nil //nolint:forcetypeassert // that is what the shape says
		case shapeOther:
			if err := r.encode(k); err != nil {
				var none V
				return none, err
			}
		}
	}
	v, err := r.decode(k)
	if err == nil && r.view.shape == shapeFlat {
		k.value, k.valid = v, true
	}
	return v, err
}

// encode makes the payload of a valid row.
func (r *Rows[V]) encode(k *kept[V]) error {
	if k.encoded {
		return nil
	}
	payload, content, err := r.b.codec().Encode(r.room[:0:len(r.room)], r.view.place(k.key, ""), k.value)
	if err != nil {
		if muster.PayloadFaultOf(err).Passing() {
			return r.b.hold(fmt.Errorf("view store: encode a row of %s: %w", r.view, err))
		}
		return r.refuse(k.key, "%v", err)
	}
	if len(payload) > MaxRowBytes {
		return r.refuse(k.key, "the row has %d bytes encoded, at most %d can be kept; split it over several keys", len(payload), MaxRowBytes)
	}
	k.payload, k.content, k.encoded = r.keep(payload), content, true
	return r.index(k)
}

// How much room for payloads a Rows begins with, and how much it has at most. A payload of more than an eighth of that has memory of its own.
const (
	roomFirst = 4 << 10
	roomMost  = 1 << 20
)

// keep takes a payload's part off the room where it lies in it. Otherwise there was too little left.
func (r *Rows[V]) keep(payload []byte) []byte {
	n := len(payload)
	switch {
	case n > 0 && n <= len(r.room) && &payload[0] == &r.room[0]:
		r.room = r.room[n:]
	case n > len(r.room) && n <= roomMost/8:
		r.whole = make([]byte, min(max(roomFirst, 2*len(r.whole)), roomMost))
		r.room = r.whole
	}
	return payload[:n:n]
}

// index makes the entries of a valid row.
func (r *Rows[V]) index(k *kept[V]) (err error) {
	if k.indexed || len(r.view.indexes) == 0 {
		return nil
	}
	k.now, err = r.view.entries(k.key, k.value)
	k.indexed = err == nil
	return err
}

func (r *Rows[V]) decode(k *kept[V]) (V, error) {
	v, err := r.view.value.Decode(r.b.codec(), r.view.place(k.key, k.content), k.payload)
	if err != nil {
		return v, r.undecoded(err)
	}
	return v, nil
}

// undecoded makes the store's fault of a row that the codec did not read.
func (r *Rows[V]) undecoded(err error) error {
	fault := rowFault(err)
	if isStoreCorrupt(fault) {
		r.b.h.shard.damage(fault)
	}
	return r.b.hold(AsStore(fmt.Errorf("view store: decode a row of %s: %w", r.view, fault)))
}

// entries gives what the indexes say of a row.
func (v *View[V]) entries(key string, row V) ([]entry, error) {
	var all []entry
	for i := range v.indexes {
		for _, value := range v.indexes[i].of(key, row) {
			if value == "" {
				continue
			}
			if len(value) > MaxIndexValue {
				return nil, muster.Errorf(muster.InvalidArgument, "view %s: key %q: index %q has a value of %d bytes, at most %d can be kept",
					v, key, v.indexes[i].name, len(value), MaxIndexValue)
			}
			all = appendEntry(all, entry{uint8(i), value})
		}
	}
	if len(all) > MaxEntries {
		return nil, muster.Errorf(muster.InvalidArgument, "view %s: key %q: %d index values, a row can have %d", v, key, len(all), MaxEntries)
	}
	return all, nil
}

func (v *View[V]) entriesOf(codec muster.Codec, key string, payload []byte, content string) (all []entry, err error) {
	row, err := v.value.Decode(codec, v.place(key, content), payload)
	if err != nil {
		return nil, rowFault(err)
	}
	defer func() {
		if caught := recover(); caught != nil {
			all, err = nil, fmt.Errorf("%w: an index function panicked: %s; mend it", ErrUnfit, muster.NewPanicError(caught).Text)
		}
	}()
	if all, err = v.entries(key, row); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnfit, err)
	}
	return all, nil
}

// decodingFault says that the codec of this build cannot read a row that was stored whole. That is no damage: a key may be away, or the row's type has
// changed. Only the first gets better by itself.
func decodingFault(err error) error {
	if code := muster.CodeOf(err); code == muster.Unavailable || code == muster.DeadlineExceeded || code == muster.Cancelled {
		return err
	}
	return fmt.Errorf("%w: %w; rebuild the view, or give it a new version", ErrUnfit, err)
}

// flush writes what has changed. A row that cannot be encoded is blamed on the last event that changed it.
func (r *Rows[V]) flush(w *rowWriter) error {
	for _, o := range r.inOrder() {
		k := o.row
		err := r.ready(k)
		if muster.PayloadFaultOf(err).Passing() {
			return err
		}
		if err != nil {
			return &Blame{ID: k.event, Err: err}
		}
		w.row(k.key, k.there, storedRow{payload: k.payload, content: k.content, entries: k.now}, k.old)
	}
	for name, c := range r.counters {
		if c.dirty {
			w.counter(name, c.value)
		}
	}
	return nil
}

// ready makes payload and entries of a row that is to be stored.
func (r *Rows[V]) ready(k *kept[V]) (err error) {
	if !k.there || k.encoded && k.indexed || k.encoded && len(r.view.indexes) == 0 {
		return nil
	}
	if !k.encoded && !k.valid {
		return r.refuse(k.key, "an Update of it failed in this batch")
	}
	defer func() {
		if caught := recover(); caught != nil {
			err = r.refuse(k.key, "encoding or indexing it panicked: %s", muster.NewPanicError(caught).Text)
		}
	}()
	if err := r.encode(k); err != nil {
		return err
	}
	return r.index(k)
}
