package projector

import (
	"context"
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/mutant"
)

// storeBatch is one batch of a shard. Nothing of it is in Pebble before Commit.
type storeBatch struct {
	h       *storeHolding
	rows    rows
	running *Running // whose function is run; set by Before
	fault   error    // the first one of the store that a function ran into
	done    bool
}

// Tx implements [Batch].
func (b *storeBatch) Tx() any { return b }

// Before implements [Batch].
func (b *storeBatch) Before(e *Running) { b.running = e }

// After implements [Checked]: what a function made of a fault of the store does not count.
func (b *storeBatch) After(_ context.Context, err error) error {
	if b.fault != nil {
		return b.fault
	}
	return err
}

// Rollback implements [Batch].
func (b *storeBatch) Rollback() {
	if b.done {
		return
	}
	b.done, b.h.open = true, nil
	b.rows.end()
}

// Commit implements [Batch]. A row that cannot be stored is a [Blame].
func (b *storeBatch) Commit(ctx context.Context, change Change) error {
	if b.done {
		return errors.New("view store: the batch of " + b.h.shard.id.String() + " has ended; begin another one")
	}
	h, s := b.h, b.h.s
	defer b.Rollback()
	if b.fault != nil {
		return b.fault
	}
	if h.shard.damaged.Load() != nil { // a query found it; the next claim begins anew
		return s.fault("commit "+h.shard.id.String(), undecodableRecord(errDamaged))
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	began := s.cfg.now()()
	if err := s.room(ctx, 0); err != nil {
		return err
	}
	w := &rowWriter{at: h.shard.at(), batch: s.db.NewBatch()}
	defer func() { _ = w.batch.Close() }()
	if err := b.rows.flush(w); err != nil {
		return err
	}
	h.shard.commit.Lock()
	defer h.shard.commit.Unlock()
	if h.shard.holder != h || h.shard.at() != w.at {
		return ErrFenced
	}
	if mutant.CheckpointBeforeRows {
		early := &rowWriter{at: w.at, batch: s.db.NewBatch()}
		b.change(early, Change{Checkpoints: change.Checkpoints})
		if err := early.batch.Commit(pebble.Sync); err != nil {
			return s.fault("commit "+h.shard.id.String(), err)
		}
	}
	meta, put := b.change(w, change)
	bytes := w.batch.Len()
	if err := w.batch.Commit(pebble.Sync); err != nil { // the guard makes this cheap
		return s.fault("commit "+h.shard.id.String(), err)
	}
	if err := s.Failed(); err != nil {
		return err
	}
	s.disk.Wrote(int64(bytes))
	h.shard.meta = meta
	if h.waits && meta.acts >= h.erased {
		h.waits = false
		h.shard.held.Store(true)
		defer s.watching.moved(h.shard.view.Definition().Name())
	}
	h.lettersAfter(put, change.Remove)
	b.done, h.open, h.spare = true, nil, b.rows
	s.commits.turn()
	s.watching.changed(h.shard.id, h.shard.copies.Load(), b.rows)
	if s.cfg.Observe.Committed != nil {
		s.cfg.Observe.Committed(StoreCommitted{Projection: h.shard.id.projection, Rows: w.rows, Entries: w.entries, Bytes: bytes, Took: s.since(began)})
	}
	return nil
}

// change writes what the runner adds. The caller holds commit.
func (b *storeBatch) change(w *rowWriter, change Change) (meta shardMeta, put map[string]uint64) {
	meta = b.h.shard.meta
	meta.batches++
	for i := range change.Checkpoints {
		c := &change.Checkpoints[i]
		w.set(w.at.checkpoint(c.Source), appendCheckpoint(w.value[:0], c))
	}
	for _, id := range change.Remove {
		w.remove(w.at.key(kindLetter, id))
	}
	for i := range change.Put {
		l := &change.Put[i]
		order, there := b.h.letters[l.ID]
		if before, twice := put[l.ID]; twice {
			order, there = before, true
		}
		if !there || slices.Contains(change.Remove, l.ID) {
			order = meta.letters
			meta.letters++
		}
		if put == nil {
			put = map[string]uint64{}
		}
		put[l.ID] = order
		if mutant.ParkInMemory {
			continue
		}
		w.set(w.at.key(kindLetter, l.ID), appendLetter(w.value[:0], order, l))
	}
	if change.Acts != 0 {
		meta.acts = change.Acts
	}
	w.set(w.at.key(kindMeta, ""), appendShardMeta(w.value[:0], meta))
	return meta, put
}

func (b *storeBatch) codec() muster.Codec { return b.h.s.codec() }

// row gives a row as it is stored; the payload is a copy.
func (b *storeBatch) row(key string) (storedRow, bool, error) {
	var row storedRow
	there, err := b.get(kindRow, key, "read a row", func(value []byte) (err error) {
		row, err = decodeStoredRow(slices.Clone(value))
		return err
	})
	return row, there, err
}

// counter gives a counter as it is stored.
func (b *storeBatch) counter(name string) (n int64, err error) {
	_, err = b.get(kindCounter, name, "read a counter", func(value []byte) (err error) {
		n, err = decodeCounter(value)
		return err
	})
	return n, err
}

func (b *storeBatch) get(k rowKind, key, doing string, decode func([]byte) error) (bool, error) {
	s, sh := b.h.s, b.h.shard
	if err := s.enter(); err != nil {
		return false, b.hold(err)
	}
	defer s.leave()
	value, closer, err := s.db.Get(sh.at().key(k, key))
	if notFound(err) {
		return false, nil
	}
	if err == nil {
		if err = decode(value); err != nil {
			err = undecodableRecord(err)
		}
		_ = closer.Close()
	}
	if err != nil {
		return false, b.hold(sh.read(s, doing+" of "+sh.id.String(), err))
	}
	return true, nil
}

// hold keeps the first fault of the store, so that the batch is not committed whatever the function makes of it.
func (b *storeBatch) hold(err error) error {
	if b.fault == nil {
		b.fault = err
	}
	return err
}

// rowWriter puts rows into a Pebble batch.
type rowWriter struct {
	at      keyRange
	batch   *pebble.Batch
	key     []byte // scratch
	value   []byte // scratch
	rows    int
	entries int
}

func (w *rowWriter) set(key, value []byte) {
	w.value = value
	_ = w.batch.Set(key, value, nil) // a batch takes everything; what it cannot hold panics
}

func (w *rowWriter) remove(key []byte) { _ = w.batch.Delete(key, nil) }

// row sets or deletes a row and brings its entries in line; old are those that are stored.
func (w *rowWriter) row(key string, there bool, s storedRow, old []entry) {
	w.rows++
	w.key = append(w.at.head(w.key[:0], kindRow), key...)
	if there {
		w.set(w.key, appendStoredRow(w.value[:0], s))
	} else {
		s.entries = nil
		w.remove(w.key)
	}
	for _, e := range old {
		if !slices.Contains(s.entries, e) {
			w.entries++
			w.key = w.at.entry(w.key[:0], e, key)
			w.remove(w.key)
		}
	}
	for _, e := range s.entries {
		if !slices.Contains(old, e) {
			w.entries++
			w.key = w.at.entry(w.key[:0], e, key)
			_ = w.batch.Set(w.key, nil, nil)
		}
	}
}

func (w *rowWriter) counter(name string, n int64) {
	w.key = append(w.at.head(w.key[:0], kindCounter), name...)
	w.set(w.key, appendCounter(w.value[:0], n))
}
