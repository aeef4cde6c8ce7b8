package projector

import (
	"errors"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
)

// Scan calls fn with the rows whose keys begin with prefix, in the order of their keys, as the batch has made them so far, until fn gives false. It
// reads every row in between: it is for a few rows that belong together, not for a whole view. fn must not change rows.
func (r *Rows[V]) Scan(prefix string, fn func(key string, row V) bool) error {
	if err := r.usable("scan"); err != nil {
		return err
	}
	var own []string // keys in hand that differ from what is stored
	for key, k := range r.byKey {
		if k.dirty && strings.HasPrefix(key, prefix) {
			own = append(own, key)
		}
	}
	slices.Sort(own)
	show := func(k *kept[V]) (bool, error) {
		if !k.there {
			return true, nil
		}
		v, err := r.copyOf(k)
		return err == nil && fn(k.key, v), err
	}
	goes := true
	ownUpTo := func(stored string, last bool) (same bool, err error) {
		for goes && err == nil && len(own) > 0 && (last || own[0] <= stored) {
			same = !last && own[0] == stored
			goes, err = show(r.byKey[own[0]])
			own = own[1:]
		}
		return same, err
	}
	err := r.b.scan(prefix, func(key string, row storedRow) (bool, error) {
		same, err := ownUpTo(key, false)
		if goes && !same && err == nil {
			goes, err = show(&kept[V]{key: key, payload: row.payload, content: row.content, there: true, encoded: true})
		}
		return goes, err
	})
	if err == nil {
		_, err = ownUpTo("", true)
	}
	return err
}

// scanRows is how many rows a scan reads at once: functions are called with nothing of the store in hand.
const scanRows = 128

// scan calls fn with stored rows until it gives false or an error.
func (b *storeBatch) scan(prefix string, fn func(key string, row storedRow) (bool, error)) error {
	low := b.h.shard.at().key(kindRow, prefix)
	high := after(low)
	for {
		keys, rows, err := b.stretch(low, high)
		if err != nil {
			return b.hold(err)
		}
		for i, key := range keys {
			if goes, err := fn(key, rows[i]); !goes || err != nil {
				return err
			}
		}
		if len(keys) < scanRows {
			return nil
		}
		low = append(b.h.shard.at().key(kindRow, keys[len(keys)-1]), 0)
	}
}

func (b *storeBatch) stretch(low, high []byte) (keys []string, found []storedRow, err error) {
	s, sh := b.h.s, b.h.shard
	if err := s.enter(); err != nil {
		return nil, nil, err
	}
	defer s.leave()
	rows, err := s.db.NewIter(&pebble.IterOptions{LowerBound: low, UpperBound: high})
	if err != nil {
		return nil, nil, sh.read(s, "scan "+sh.id.String(), err)
	}
	for rows.First(); rows.Valid() && len(keys) < scanRows && err == nil; rows.Next() {
		var value []byte
		var row storedRow
		if value, err = rows.ValueAndErr(); err != nil {
			break
		}
		if row, err = decodeStoredRow(slices.Clone(value)); err != nil {
			err = undecodableRecord(err)
		}
		keys, found = append(keys, string(rows.Key()[keyHead:])), append(found, row)
	}
	if err = errors.Join(err, rows.Close()); err != nil {
		return nil, nil, sh.read(s, "scan "+sh.id.String(), err)
	}
	return keys, found, nil
}
