package sqldb

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/internal/ledger"
)

// batch is one transaction. One goroutine uses it, and [holding.Release] may roll it back beside that one.
type batch struct {
	holding *holding
	tx      *Tx
	cancel  context.CancelFunc
	ended   bool // guarded by holding.mu
}

var _ projector.Checked = (*batch)(nil)

// Tx implements [projector.Batch].
func (b *batch) Tx() any { return b.tx }

// Before implements [projector.Batch].
func (b *batch) Before(e *projector.Running) { b.tx.running, b.tx.failed = *e, nil }

// errAborted is charged to a function that saw an error of the database and did not return it.
var errAborted = errors.New("the function returned no error, but a statement of it failed and the transaction can do nothing more; return the error, or use a savepoint where a failure is expected")

// After implements [projector.Checked].
func (b *batch) After(ctx context.Context, err error) error {
	switch {
	case err == nil && b.tx.failed == nil:
		return nil
	case err == nil: // does the transaction live?
		var one int
		dead := b.tx.tx.QueryRowContext(ctx, "select 1").Scan(&one)
		if dead == nil {
			return nil
		}
		if err = errAborted; b.holding.target.engine.store(dead) || b.holding.target.engine.store(b.tx.failed) {
			err = errors.Join(dead, b.tx.failed)
		}
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
		return err // it ran out of time, and a connection that is lost with it is not what failed
	}
	if b.holding.target.engine.store(err) {
		return b.holding.target.fault("run a function's statement", err)
	}
	return err
}

// Commit implements [projector.Batch].
func (b *batch) Commit(ctx context.Context, change projector.Change) error {
	h := b.holding
	if !h.usable(b) {
		return fmt.Errorf("projection %s: shard %d was released: %w", h.target.projection, h.shard.Number, projector.ErrFenced)
	}
	err := b.finish(ctx, change)
	if err == nil {
		err = b.tx.tx.Commit()
	}
	if err == nil {
		h.close(b)
		b.cancel()
		return nil
	}
	b.Rollback()
	if ledger.StateOf(err) == ledger.Aborted {
		return &projector.Blame{ID: b.tx.running.ID, Err: errAborted}
	}
	return h.target.fault(fmt.Sprintf("commit shard %d", h.shard.Number), err)
}

// finish writes what the toolkit commits with the rows. The row of the shard comes first: it is held until the end.
func (b *batch) finish(ctx context.Context, change projector.Change) error {
	h, t, tx := b.holding, b.holding.target, b.tx.tx
	if err := h.hold(ctx, tx, change.Acts); err != nil {
		return err
	}
	for _, c := range change.Checkpoints {
		source := []any{c.Source.Topic, c.Source.Partition}
		values := []any{c.TopicID[:], c.Next, c.LastEvent, c.LastAt, t.time(c.Time)}
		n, err := t.exec(ctx, tx, "update "+t.tables.Checkpoints+" set topic_id = ?, next_offset = ?, last_event = ?, last_offset = ?, event_time = ?"+own+" and topic = ? and source = ?",
			h.with(values, source...)...)
		if err == nil && n == 0 {
			_, err = t.exec(ctx, tx, "insert into "+t.tables.Checkpoints+` (topic_id, next_offset, last_event, last_offset, event_time, projection, generation, shard, topic, source)
				values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, h.with(values, source...)...)
		}
		if err != nil {
			return err
		}
	}
	for _, id := range change.Remove {
		if _, err := t.exec(ctx, tx, "delete from "+t.tables.Letters+own+" and id = ?", h.place(id)...); err != nil {
			return err
		}
	}
	for i := range change.Put {
		if err := b.put(ctx, &change.Put[i]); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) put(ctx context.Context, l *projector.Letter) error {
	h, t, tx := b.holding, b.holding.target, b.tx.tx
	bytes, err := ledger.Encode(l)
	if err != nil {
		return err
	}
	values := []any{string(l.Kind), ledger.Shown(l.Key), l.Reason, ledger.Shown(l.Cause), l.Attempts, t.time(l.At), bytes}
	n, err := t.exec(ctx, tx, "update "+t.tables.Letters+" set kind = ?, event_key = ?, reason = ?, cause = ?, attempts = ?, put_aside = ?, letter = ?"+own+" and id = ?", h.with(values, l.ID)...)
	if err != nil || n > 0 {
		return err
	}
	var place int64
	if err := tx.QueryRowContext(ctx, t.engine.statement("select coalesce(max(place), 0) + 1 from "+t.tables.Letters+own), h.place()...).Scan(&place); err != nil {
		return err
	}
	_, err = t.exec(ctx, tx, "insert into "+t.tables.Letters+` (kind, event_key, reason, cause, attempts, put_aside, letter, projection, generation, shard, id, place)
		values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, h.with(values, l.ID, place)...)
	return err
}

// Rollback implements [projector.Batch].
func (b *batch) Rollback() {
	if b.holding.close(b) {
		_ = b.tx.tx.Rollback() // a connection on which this fails is closed, which rolls back as well
		b.cancel()
	}
}
