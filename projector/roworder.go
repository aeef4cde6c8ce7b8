package projector

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
)

// ordered is a row of a batch with what it is sorted by.
type ordered[V any] struct {
	head uint64 // the first eight bytes of the key behind what all keys begin with
	row  *kept[V]
}

// inOrder gives the rows that have changed in the order of their keys. The store's write buffer finds the place of a key beside that of the one
// before with a few comparisons, where one at random takes a search of the whole. Most pairs are told apart by a number.
func (r *Rows[V]) inOrder() []ordered[V] {
	r.order = r.order[:0]
	first := ""
	same := 0 // so many bytes all keys begin with
	for _, k := range r.byKey {
		if !k.dirty {
			continue
		}
		if len(r.order) == 0 {
			first, same = k.key, len(k.key)
		}
		same = alike(first[:same], k.key)
		r.order = append(r.order, ordered[V]{row: k})
	}
	for i := range r.order {
		r.order[i].head = head(r.order[i].row.key[same:])
	}
	slices.SortFunc(r.order, func(a, b ordered[V]) int {
		if c := cmp.Compare(a.head, b.head); c != 0 {
			return c
		}
		return strings.Compare(a.row.key, b.row.key)
	})
	return r.order
}

// alike gives how many bytes two texts begin with alike.
func alike(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// head gives the first eight bytes as a number that compares as they do; what is missing counts as zeroes.
func head(s string) uint64 {
	var b [8]byte
	copy(b[:], s)
	return binary.BigEndian.Uint64(b[:])
}
