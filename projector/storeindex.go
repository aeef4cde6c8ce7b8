package projector

import (
	"context"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// indexBatch is how many bytes of entries are written at once while an index is built.
const indexBatch = 4 << 20

// checkIndexes compares the indexes a shard's entries were made for with those of the view, and makes the entries anew where they differ. What is
// written last is the list, so that a build that is cut short begins anew. The caller holds commit.
func (s *Store) checkIndexes(ctx context.Context, sh *storeShard) error {
	want := sh.view.indexNames()
	var have []string
	value, closer, err := s.db.Get(sh.at().key(kindIndexes, ""))
	switch {
	case err == nil:
		have, err = decodeIndexes(value)
		_ = closer.Close()
		if err != nil {
			return s.fault("look at the indexes of "+sh.id.String(), undecodableRecord(err))
		}
		if slices.Equal(have, want) {
			return nil
		}
	case !notFound(err):
		return s.fault("look at the indexes of "+sh.id.String(), err)
	}
	began := s.cfg.now()()
	rows, err := s.reindex(ctx, sh)
	if err != nil {
		return s.fault("build the indexes of "+sh.id.String(), err)
	}
	batch := s.db.NewBatch()
	defer func() { _ = batch.Close() }()
	_ = batch.Set(sh.at().key(kindIndexes, ""), appendIndexes(nil, want), nil)
	if err := batch.Commit(pebble.Sync); err != nil {
		return s.fault("note the indexes of "+sh.id.String(), err)
	}
	if rows > 0 {
		s.log.Warn("the indexes of a view are not those of before; they were made anew from its rows", "projection", sh.id.projection,
			"shard", sh.id.number, "before", have, "now", want, "rows", rows, "took", s.since(began))
		s.rebuilt(StoreRebuilt{Projection: sh.id.projection, Shard: sh.id.number, Reason: RebuiltIndexes})
	}
	return s.Failed()
}

// reindex makes the entries of all rows of a shard anew.
func (s *Store) reindex(ctx context.Context, sh *storeShard) (rows int, err error) {
	w := &rowWriter{at: sh.at(), batch: s.db.NewBatch()}
	defer func() { _ = w.batch.Close() }()
	low, high := sh.at().bounds(kindEntry)
	_ = w.batch.DeleteRange(low, high, nil)
	store := func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.room(ctx, 0); err != nil {
			return err
		}
		n := w.batch.Len()
		if err := w.batch.Commit(pebble.Sync); err != nil {
			return err
		}
		s.disk.Wrote(int64(n))
		_ = w.batch.Close()
		w.batch = s.db.NewBatch()
		return nil
	}
	var failed error
	err = each(s.db, sh.at(), kindRow, func(key, value []byte) error {
		if failed != nil {
			return nil
		}
		row, err := decodeStoredRow(value)
		if err != nil {
			return err
		}
		rows++
		id := string(key[keyHead:])
		if row.entries, failed = sh.view.entriesOf(s.codec(), id, row.payload, row.content); failed != nil {
			return nil
		}
		w.row(id, true, row, nil)
		if w.batch.Len() > indexBatch {
			failed = store()
		}
		return nil
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return rows, err
	}
	return rows, store()
}
