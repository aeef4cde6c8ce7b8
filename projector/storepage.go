package projector

import (
	"bytes"
	"container/heap"
	"errors"
	"math"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/seed-3eec0498/muster"
)

// pageReader fills one page from a snapshot.
type pageReader struct {
	s      *Store
	snap   *pebble.Snapshot
	q      *Query
	shards []*storeShard // by number
	view   AnyView
	page   *Page
	bytes  int
}

// count sums a counter over the shards.
func (r *pageReader) count() error {
	for _, sh := range r.shards {
		var n int64
		_, err := r.get(sh, kindCounter, r.q.Counter, func(value []byte) (err error) {
			n, err = decodeCounter(value)
			return err
		})
		if err != nil {
			return err
		}
		if sum := r.page.Counter; n > 0 && sum > math.MaxInt64-n || n < 0 && sum < math.MinInt64-n {
			return errors.New("the counter leaves the range of 64 bits")
		}
		r.page.Counter += n
	}
	return nil
}

// one reads the row under a key, of all shards.
func (r *pageReader) one(key string) error {
	var found []RawRow
	for _, sh := range r.shards {
		row, there, err := r.row(sh, key)
		if err != nil {
			return err
		}
		if there {
			found = append(found, row)
		}
	}
	return r.take(found)
}

// take adds the rows that were found under one key: each, or as one.
func (r *pageReader) take(found []RawRow) error {
	if len(found) > 1 && r.view.merges() {
		opened := make([]storedRow, len(found))
		for i := range found {
			opened[i] = storedRow{payload: found[i].Value, content: found[i].ContentType}
		}
		one, err := r.view.mergeRows(found[0].Key, opened)
		if err != nil {
			return err
		}
		found[0].Value, found[0].ContentType = one.payload, one.content
		found = found[:1]
	}
	for i := range found {
		r.bytes += len(found[i].Key) + len(found[i].Value)
	}
	r.page.Rows = append(r.page.Rows, found...)
	return nil
}

// takeAt adds what a scan has found at a place; of an index, the rows are told what they are ordered by.
func (r *pageReader) takeAt(place string, found []RawRow) error {
	if r.q.Index != "" {
		for i := range found {
			found[i].Order = place
		}
	}
	return r.take(found)
}

// row reads and opens one row of one shard.
func (r *pageReader) row(sh *storeShard, key string) (RawRow, bool, error) {
	var out RawRow
	there, err := r.get(sh, kindRow, key, func(value []byte) (err error) {
		out, err = r.opened(sh, key, value)
		return err
	})
	return out, there, err
}

// opened makes what a query gets of a stored row; nothing of value is kept.
func (r *pageReader) opened(sh *storeShard, key string, value []byte) (RawRow, error) {
	row, err := decodeStoredRow(value)
	if err != nil {
		return RawRow{}, undecodableRecord(err)
	}
	payload, content, err := r.view.open(r.s.codec(), key, row)
	if muster.PayloadFaultOf(err) == muster.FaultTampered {
		err = undecodableRecord(err)
	}
	return RawRow{Key: key, Value: slices.Clone(payload), ContentType: content, Shard: sh.id.number}, err
}

func (r *pageReader) get(sh *storeShard, k rowKind, key string, decode func([]byte) error) (bool, error) {
	value, closer, err := r.snap.Get(sh.at().key(k, key))
	if notFound(err) {
		return false, nil
	}
	if err == nil {
		err = decode(value)
		_ = closer.Close()
	}
	if err != nil {
		return false, sh.read(r.s, "read a row of "+sh.id.String(), err)
	}
	return true, nil
}

// scan reads a range of rows, or of the entries of an index.
func (r *pageReader) scan() (err error) {
	shards, err := r.cursors()
	defer func() {
		for _, c := range shards.all {
			err = errors.Join(err, c.rows.Close())
		}
	}()
	if err != nil {
		return err
	}
	heap.Init(&shards)
	last, read := pagePlace{}, false
	for len(shards.open) > 0 {
		if len(r.page.Rows) >= r.q.Limit || r.bytes >= maxPageBytes {
			if read {
				r.page.Token = r.q.token(last)
			}
			return nil
		}
		c := shards.open[0]
		last, read = pagePlace{string(c.key()), c.shard.id.number, r.page.Generation}, true
		if err := r.step(&shards); err != nil {
			return err
		}
	}
	return shards.err()
}

// step takes what is under the least key: of the first shard, or of all of them where the view merges.
func (r *pageReader) step(shards *cursors) error {
	c := shards.open[0]
	key, at := string(c.key()), c.shard
	var found []RawRow
	if r.q.Index != "" {
		id, err := c.rowKey()
		if err != nil {
			return at.read(r.s, "read an index of "+at.id.String(), err)
		}
		from := []*storeShard{at}
		if r.view.merges() {
			from = r.shards
		}
		for _, sh := range from {
			row, there, err := r.row(sh, id)
			if err != nil {
				return err
			}
			if there {
				found = append(found, row)
			}
		}
	}
	for {
		if r.q.Index == "" {
			value, err := c.rows.ValueAndErr()
			row := RawRow{}
			if err == nil {
				row, err = r.opened(c.shard, key, value)
			}
			if err != nil {
				return c.shard.read(r.s, "read a row of "+c.shard.id.String(), err)
			}
			found = append(found, row)
		}
		shards.advance()
		if !r.view.merges() || len(shards.open) == 0 || !bytes.Equal(shards.open[0].key(), []byte(key)) {
			return r.takeAt(key, found)
		}
		c = shards.open[0]
	}
}
