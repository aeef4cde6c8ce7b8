package postgres

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/internal/ledger"
)

// holding is one shard under one epoch.
type holding struct {
	target  *target
	shard   projector.Shard
	epoch   int64
	label   string // of the sessions of its batches
	batches uint64 // how many were begun; used by the goroutine that holds the shard

	mu       sync.Mutex // guards what follows, and batch.ended
	open     *batch     // nil when none is
	released bool
}

// Stored implements [projector.Holding].
func (h *holding) Stored(ctx context.Context) (projector.Stored, error) {
	var stored projector.Stored
	err := h.target.within(ctx, func(tx pgx.Tx) error {
		stored = projector.Stored{}
		var held bool
		if err := tx.QueryRow(ctx, `select coalesce(max(acts), 0), count(*) = 1 from `+h.target.tables.Shards+`
			where projection = $1 and generation = $2 and shard = $3 and epoch = $4`, h.place(h.epoch)...).Scan(&stored.Acts, &held); err != nil {
			return err
		}
		if !held {
			return projector.ErrFenced
		}
		var err error
		if stored.Checkpoints, err = h.checkpoints(ctx, tx); err != nil {
			return err
		}
		stored.Letters, err = h.letters(ctx, tx)
		return err
	})
	if err != nil {
		return projector.Stored{}, h.target.fault(ctx, fmt.Sprintf("read what is stored of shard %d", h.shard.Number), err)
	}
	return stored, nil
}

// place gives the arguments that name the shard, and what else there is.
func (h *holding) place(more ...any) []any {
	return append([]any{h.target.name(h.shard), h.shard.Generation, h.shard.Number}, more...)
}

func (h *holding) checkpoints(ctx context.Context, tx pgx.Tx) ([]projector.Checkpoint, error) {
	rows, err := tx.Query(ctx, `select topic, source, topic_id, next_offset, last_event, last_offset, event_time from `+h.target.tables.Checkpoints+`
		where projection = $1 and generation = $2 and shard = $3 order by topic, source`, h.place()...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (projector.Checkpoint, error) {
		var c projector.Checkpoint
		var id []byte
		var at *time.Time
		err := row.Scan(&c.Source.Topic, &c.Source.Partition, &id, &c.Next, &c.LastEvent, &c.LastAt, &at)
		copy(c.TopicID[:], id)
		if at != nil {
			c.Time = at.UTC()
		}
		return c, err
	})
}

func (h *holding) letters(ctx context.Context, tx pgx.Tx) ([]projector.Letter, error) {
	rows, err := tx.Query(ctx, `select letter from `+h.target.tables.Letters+`
		where projection = $1 and generation = $2 and shard = $3 order by place`, h.place()...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (projector.Letter, error) {
		var b []byte
		if err := row.Scan(&b); err != nil {
			return projector.Letter{}, err
		}
		return ledger.Decode(b)
	})
}

// Begin implements [projector.Holding].
func (h *holding) Begin(ctx context.Context) (projector.Batch, error) {
	if !h.usable(&batch{}) {
		return nil, fmt.Errorf("projection %s: shard %d was released: %w", h.target.projection, h.shard.Number, projector.ErrFenced)
	}
	conn, err := h.target.conn(ctx)
	if err != nil {
		return nil, h.target.fault(ctx, fmt.Sprintf("begin a transaction for shard %d", h.shard.Number), err)
	}
	h.batches++
	b := &batch{holding: h, conn: conn, raw: conn.Conn(), mark: fmt.Sprintf("%d/%d", h.epoch, h.batches)}
	// One round trip. The mark is gone when the transaction is another one. A deferred constraint is checked at each statement, so that it
	// fails the function that broke it and not the commit of all.
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{BeginQuery: fmt.Sprintf(
		"begin; set local muster.batch = '%s'; set local application_name = '%s'; %s; set constraints all immediate",
		b.mark, h.label, idleLimit(h.target.projection.idle))})
	if err != nil {
		conn.Release()
		return nil, h.target.fault(ctx, fmt.Sprintf("begin a transaction for shard %d", h.shard.Number), err)
	}
	b.tx, b.queue.ctx = &hand{Tx: tx, batch: b}, ctx
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open = b
	return b, nil
}

// Release implements [projector.Holding]. A batch that is open is cut off, so that the locks of its rows go now.
func (h *holding) Release() {
	h.mu.Lock()
	open := h.open
	h.released = true
	h.mu.Unlock()
	if open != nil {
		h.close(open, open.cut)
	}
}

// usable tells whether a batch may go on.
func (h *holding) usable(b *batch) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !b.ended && !h.released
}

// close ends a batch with fn, once.
func (h *holding) close(b *batch, fn func()) {
	h.mu.Lock()
	ended := b.ended
	b.ended, h.open = true, nil
	h.mu.Unlock()
	if !ended {
		fn()
	}
}
