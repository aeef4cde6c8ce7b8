package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"time"

	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/internal/ledger"
)

// holding is one shard under one epoch.
type holding struct {
	target *target
	shard  projector.Shard
	epoch  int64

	mu       sync.Mutex // guards what follows
	open     *batch     // nil when none is
	released bool
}

// own is the condition for rows of the shard.
const own = " where projection = ? and generation = ? and shard = ?"

// place gives the arguments that name the shard, and what comes behind.
func (h *holding) place(behind ...any) []any {
	return append([]any{h.target.name(h.shard), h.shard.Generation, h.shard.Number}, behind...)
}

// with gives the arguments that name the shard between others.
func (h *holding) with(before []any, behind ...any) []any {
	return append(before, h.place(behind...)...)
}

// Stored implements [projector.Holding].
func (h *holding) Stored(ctx context.Context) (projector.Stored, error) {
	var stored projector.Stored
	t := h.target
	err := t.within(ctx, func(tx *sql.Tx) error {
		var epoch int64
		err := tx.QueryRowContext(ctx, t.engine.statement("select epoch, acts from "+t.tables.Shards+own), h.place()...).Scan(&epoch, &stored.Acts)
		if err != nil && err != sql.ErrNoRows { //nolint:errorlint // what Scan gives is the very value
			return err
		}
		if epoch != h.epoch {
			return projector.ErrFenced
		}
		if stored.Checkpoints, err = h.checkpoints(ctx, tx); err != nil {
			return err
		}
		stored.Letters, err = h.letters(ctx, tx)
		return err
	})
	if err != nil {
		return projector.Stored{}, t.fault(fmt.Sprintf("read what is stored of shard %d", h.shard.Number), err)
	}
	return stored, nil
}

func (h *holding) checkpoints(ctx context.Context, tx *sql.Tx) ([]projector.Checkpoint, error) {
	rows, err := tx.QueryContext(ctx, h.target.engine.statement(`select topic, source, topic_id, next_offset, last_event, last_offset, event_time from `+
		h.target.tables.Checkpoints+own+" order by topic, source"), h.place()...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var all []projector.Checkpoint
	for rows.Next() {
		var c projector.Checkpoint
		var id []byte
		var at any
		if err := rows.Scan(&c.Source.Topic, &c.Source.Partition, &id, &c.Next, &c.LastEvent, &c.LastAt, &at); err != nil {
			return nil, err
		}
		copy(c.TopicID[:], id)
		switch at := at.(type) {
		case time.Time:
			c.Time = at.UTC()
		case string:
			c.Time, err = time.Parse(time.RFC3339Nano, at)
		case []byte:
			c.Time, err = time.Parse(time.RFC3339Nano, string(at))
		}
		if err != nil {
			return nil, fmt.Errorf("the event_time of checkpoint %s: %w", c.Source, err)
		}
		all = append(all, c)
	}
	return all, rows.Err()
}

func (h *holding) letters(ctx context.Context, tx *sql.Tx) ([]projector.Letter, error) {
	rows, err := tx.QueryContext(ctx, h.target.engine.statement("select letter from "+h.target.tables.Letters+own+" order by place"), h.place()...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var all []projector.Letter
	for rows.Next() {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			return nil, err
		}
		l, err := ledger.Decode(b)
		if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	return all, rows.Err()
}

// Begin implements [projector.Holding].
func (h *holding) Begin(ctx context.Context) (projector.Batch, error) {
	if !h.usable(&batch{}) {
		return nil, fmt.Errorf("projection %s: shard %d was released: %w", h.target.projection, h.shard.Number, projector.ErrFenced)
	}
	// A transaction ends with the context it was begun with: this one is ended by the batch.
	inside, cancel := context.WithCancel(context.WithoutCancel(ctx))
	b := &batch{holding: h, cancel: cancel}
	tx, err := h.target.projection.db.BeginTx(inside, nil)
	if err == nil {
		b.tx = &Tx{tx: tx}
		if err = h.start(ctx, tx); err != nil {
			_ = tx.Rollback()
		}
	}
	if err != nil {
		cancel()
		return nil, h.target.fault(fmt.Sprintf("begin a transaction for shard %d", h.shard.Number), err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open = b
	return b, nil
}

func (h *holding) start(ctx context.Context, tx *sql.Tx) error {
	for _, statement := range h.target.engine.Begin {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	if h.target.engine.Single {
		return h.hold(ctx, tx, 0)
	}
	return nil
}

// hold makes sure that the shard is ours until the transaction ends.
func (h *holding) hold(ctx context.Context, tx *sql.Tx, acts int64) error {
	set, values := "acts = acts", []any(nil)
	if acts != 0 {
		set, values = "acts = ?", []any{acts}
	}
	n, err := h.target.exec(ctx, tx, "update "+h.target.tables.Shards+" set "+set+own+" and epoch = ?", h.with(values, h.epoch)...)
	if err == nil && n == 0 {
		err = projector.ErrFenced
	}
	return err
}

// Release implements [projector.Holding].
func (h *holding) Release() {
	h.mu.Lock()
	open := h.open
	h.released = true
	h.mu.Unlock()
	if open != nil {
		open.cancel() // a statement that still runs ends
		open.Rollback()
	}
}

// usable tells whether a batch may go on.
func (h *holding) usable(b *batch) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !b.ended && !h.released
}

// close ends a batch, once.
func (h *holding) close(b *batch) (first bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	first = !b.ended
	b.ended, h.open = true, nil
	return first
}
