package projector

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// storeHolding is a shard in the hands of the runner. One goroutine uses it.
type storeHolding struct {
	s       *Store
	shard   *storeShard
	letters map[string]uint64 // ids of the letters that are stored, with their order; known after Stored
	known   bool
	open    *storeBatch
	spare   rows // of the last batch, when it was committed

	waits  bool  // the rows are of before an erasure that was ordered, so that nobody is shown them; under commit of the shard
	erased int64 // the number of the last such order at the claim
}

// Stored implements [Holding].
func (h *storeHolding) Stored(context.Context) (Stored, error) {
	s, sh := h.s, h.shard
	if err := s.enter(); err != nil {
		return Stored{}, err
	}
	defer s.leave()
	sh.commit.Lock()
	defer sh.commit.Unlock()
	if sh.holder != h {
		return Stored{}, ErrFenced
	}
	out := Stored{Acts: sh.meta.acts}
	var err error
	if out.Checkpoints, err = s.checkpoints(s.db, sh.at()); err == nil {
		out.Letters, h.letters, err = s.letters(s.db, sh.at())
	}
	if err != nil {
		return Stored{}, sh.read(s, "read what is stored of "+sh.id.String(), err)
	}
	h.known = true
	return out, nil
}

// read classifies the error of a read of the shard; damage makes the next claim begin anew.
func (sh *storeShard) read(s *Store, doing string, err error) error {
	err = s.fault(doing, err)
	if isStoreCorrupt(err) {
		sh.damage(err)
	}
	return err
}

// checkpoints reads those of a shard, in the order of partitions and topics.
func (s *Store) checkpoints(from pebble.Reader, at keyRange) ([]Checkpoint, error) {
	var all []Checkpoint
	err := each(from, at, kindCheckpoint, func(key, value []byte) error {
		source, err := sourceOf(key)
		if err != nil {
			return err
		}
		c, err := decodeCheckpoint(value)
		c.Source = source
		all = append(all, c)
		return err
	})
	return all, err
}

func (s *Store) letters(from pebble.Reader, at keyRange) ([]Letter, map[string]uint64, error) {
	var all []Letter
	orders := map[string]uint64{}
	err := each(from, at, kindLetter, func(key, value []byte) error {
		order, l, err := decodeLetter(string(key[keyHead:]), value)
		all, orders[l.ID] = append(all, l), order
		return err
	})
	slices.SortFunc(all, func(a, b Letter) int { return cmp.Compare(orders[a.ID], orders[b.ID]) })
	return all, orders, err
}

// each calls fn for the records of a kind, in the order of their keys. An error of fn is one of a decoder.
func each(from pebble.Reader, at keyRange, k rowKind, fn func(key, value []byte) error) error {
	low, high := at.bounds(k)
	records, err := from.NewIter(&pebble.IterOptions{LowerBound: low, UpperBound: high})
	if err != nil {
		return err
	}
	for records.First(); records.Valid() && err == nil; records.Next() {
		var value []byte
		if value, err = records.ValueAndErr(); err != nil {
			break
		}
		if err = fn(records.Key(), value); err != nil {
			err = undecodableRecord(err)
		}
	}
	if err == nil {
		err = records.Error()
	}
	return errors.Join(err, records.Close())
}

// Begin implements [Holding].
func (h *storeHolding) Begin(ctx context.Context) (Batch, error) {
	if h.open != nil {
		return nil, errors.New("view store: a batch of " + h.shard.id.String() + " is open already; commit it or roll it back first")
	}
	if !h.known { // which letters there are, and in what order
		if _, err := h.Stored(ctx); err != nil {
			return nil, err
		}
	}
	if err := AsStore(h.s.disk.Err()); err != nil {
		return nil, err
	}
	b := &storeBatch{h: h, running: &Running{}}
	if h.spare != nil {
		b.rows, h.spare = h.spare, nil
		h.shard.view.again(b.rows, b)
	} else {
		b.rows = h.shard.view.begin(b)
	}
	h.open = b
	return b, nil
}

// Release implements [Holding].
func (h *storeHolding) Release() {
	if h.open != nil {
		h.open.Rollback()
	}
	h.shard.commit.Lock()
	defer h.shard.commit.Unlock()
	if h.shard.holder == h {
		h.shard.holder = nil
		if h.shard.held.Swap(false) {
			h.s.watching.moved(h.shard.view.Definition().Name())
		}
	}
}

// lettersAfter gives the letters' orders as they are behind a change.
func (h *storeHolding) lettersAfter(put map[string]uint64, remove []string) {
	maps.Copy(h.letters, put)
	for _, id := range remove {
		delete(h.letters, id)
	}
}
