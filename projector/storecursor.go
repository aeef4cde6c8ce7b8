package projector

import (
	"bytes"
	"cmp"
	"container/heap"
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// cursor walks one shard's rows, or the entries of one of its indexes.
type cursor struct {
	shard *storeShard
	rows  *pebble.Iterator
	head  int // bytes of a key before what rows are ordered by
}

func (c *cursor) key() []byte { return c.rows.Key()[c.head:] }

// rowKey gives the key of the row an entry stands for.
func (c *cursor) rowKey() (string, error) {
	_, key, err := entryOf(c.rows.Key())
	if err != nil {
		err = undecodableRecord(err)
	}
	return key, err
}

// cursors are those of several shards, as a heap: the one with the next row is the first.
type cursors struct {
	all     []*cursor
	open    []*cursor // those that have a row
	reverse bool
}

// Len implements [heap.Interface].
func (c *cursors) Len() int { return len(c.open) }

// Less implements [heap.Interface].
func (c *cursors) Less(i, j int) bool {
	a, b := c.open[i], c.open[j]
	order := cmp.Or(bytes.Compare(a.key(), b.key()), cmp.Compare(a.shard.id.number, b.shard.id.number))
	return order < 0 != c.reverse
}

// Swap implements [heap.Interface].
func (c *cursors) Swap(i, j int) { c.open[i], c.open[j] = c.open[j], c.open[i] }

// Push implements [heap.Interface].
func (c *cursors) Push(x any) { c.open = append(c.open, x.(*cursor)) } //nolint:forcetypeassert // only heap calls it, and never here

// Pop implements [heap.Interface].
func (c *cursors) Pop() any {
	last := c.open[len(c.open)-1]
	c.open = c.open[:len(c.open)-1]
	return last
}

// advance moves the first cursor.
func (c *cursors) advance() {
	first := c.open[0].rows
	if c.reverse && first.Prev() || !c.reverse && first.Next() {
		heap.Fix(c, 0)
	} else {
		heap.Pop(c)
	}
}

// err gives what ended a cursor before its end.
func (c *cursors) err() error {
	var faults []error
	for _, one := range c.all {
		faults = append(faults, one.rows.Error())
	}
	return errors.Join(faults...)
}

// cursors opens one per shard, each at its first row behind the page before.
func (r *pageReader) cursors() (cursors, error) {
	out := cursors{reverse: r.q.Reverse}
	var behind *pagePlace
	if r.q.Token != "" {
		p, err := r.q.place()
		if err == nil {
			err = p.in(r.page.View, r.page.Generation)
		}
		if err != nil {
			return out, err
		}
		behind = &p
	}
	for _, sh := range r.shards {
		c := &cursor{shard: sh, head: keyHead}
		if r.q.Index != "" {
			c.head++
		}
		low, high := r.bounds(sh)
		if behind != nil {
			low, high = r.behind(sh, behind, low, high)
		}
		if bytes.Compare(low, high) >= 0 {
			continue
		}
		rows, err := r.snap.NewIter(&pebble.IterOptions{LowerBound: low, UpperBound: high})
		if err != nil {
			return out, sh.read(r.s, "scan "+sh.id.String(), err)
		}
		c.rows = rows
		out.all = append(out.all, c)
		if r.q.Reverse && rows.Last() || !r.q.Reverse && rows.First() {
			out.open = append(out.open, c)
		}
	}
	return out, nil
}

// bounds gives what the query asks for of a shard, as keys of the store.
func (r *pageReader) bounds(sh *storeShard) (low, high []byte) {
	q := r.q
	if q.Index == "" {
		low, high = sh.at().bounds(kindRow)
		low = append(low, q.From...)
		if q.Prefix != "" {
			low = append(low, q.Prefix...)
			return low, after(low)
		}
		if q.To != "" {
			high = sh.at().key(kindRow, q.To)
		}
		return low, high
	}
	number := uint8(indexOf(r.view.indexNames(), q.Index))
	prefix := func(value string) []byte { return sh.at().entryPrefix(nil, entry{number, value}) }
	switch {
	case q.Key != "":
		low = sh.at().entry(nil, entry{number, q.Key}, "")
		return low, after(low)
	case q.Prefix != "":
		low = prefix(q.Prefix)
		return low, after(low)
	}
	low, high = prefix(q.From), prefix(q.To)
	if q.To == "" {
		high = after(prefix(""))
	}
	return low, high
}

func indexOf(names []string, name string) int {
	for i := range names {
		if names[i] == name {
			return i
		}
	}
	return -1
}

// behind narrows the bounds of a shard to what comes after a place.
func (r *pageReader) behind(sh *storeShard, p *pagePlace, low, high []byte) (narrowLow, narrowHigh []byte) {
	head := append([]byte{}, low[:keyHead]...)
	if r.q.Index != "" {
		head = append(head, low[keyHead])
	}
	at := slices.Concat(head, []byte(p.key))
	next := append(append([]byte{}, at...), 0) // the least key behind it
	again := !r.view.merges()                  // other shards may have the same key
	if r.q.Reverse {
		if again && sh.id.number < p.shard {
			at = next
		}
		if bytes.Compare(at, high) < 0 {
			high = at
		}
		return low, high
	}
	if !again || sh.id.number <= p.shard {
		at = next
	}
	if bytes.Compare(at, low) > 0 {
		low = at
	}
	return low, high
}

// after gives the first key behind all that begin with a prefix. Every prefix here has a byte below 0xff.
func after(prefix []byte) []byte {
	end := append([]byte{}, prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}
