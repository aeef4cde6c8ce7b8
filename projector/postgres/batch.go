package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/internal/ledger"
)

// batch is one transaction. One goroutine uses it, and [holding.Release] may give it up beside that one.
type batch struct {
	holding *holding
	conn    *pgxpool.Conn
	raw     *pgx.Conn // the same below
	tx      *hand
	mark    string // the value of muster.batch inside the transaction
	running projector.Running
	ended   bool // guarded by holding.mu; the connection is gone then

	queue queue
}

var _ projector.Checked = (*batch)(nil)

// Tx implements [projector.Batch].
func (b *batch) Tx() any { return b.tx }

// Before implements [projector.Batch].
func (b *batch) Before(e *projector.Running) { b.running = *e }

// errAborted is charged to a function that saw an error of the database and did not return it.
var errAborted = errors.New("the function returned no error, but a statement of it failed and the transaction can do nothing more; return the error, or use Begin for a savepoint where a failure is expected")

// After implements [projector.Checked].
func (b *batch) After(ctx context.Context, err error) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return err // it ran out of time, and a connection that is lost with it is not what failed
	}
	session := b.raw.PgConn()
	switch {
	case b.queue.fault != nil: // of a statement that was queued: its event is known
		return b.judge(ctx, b.queue.fault)
	case session.IsClosed():
		return b.holding.target.fault(ctx, "run a function's statement", errors.Join(errLost, err))
	case err != nil:
		return b.judge(ctx, err)
	case session.TxStatus() == 'I':
		return projector.ToStop(fmt.Errorf("projection %s: the function has ended its transaction, so rows may have been committed without the checkpoint; rebuild the projection when this is mended: %w",
			b.holding.target.projection, ErrNotYours))
	case session.TxStatus() == 'E':
		return errAborted
	}
	return nil
}

var errLost = errors.New("the connection was lost")

// judge marks an error of a function's statement where the database is at fault.
func (b *batch) judge(ctx context.Context, err error) error {
	if ByStore(err) {
		return b.holding.target.fault(ctx, "run a function's statement", err)
	}
	return err
}

// ByStore tells whether an error of a statement is a fault of PostgreSQL, of the way to it or of its setup, for which no event is to blame.
func ByStore(err error) bool {
	if errors.Is(err, projector.ErrStore) || errors.Is(err, projector.ErrFenced) {
		return true
	}
	if state := ledger.StateOf(err); state != "" {
		return ledger.ByStore(state)
	}
	if _, is := errors.AsType[*pgconn.ConnectError](err); is {
		return true
	}
	return pgconn.SafeToRetry(err) || ledger.ByNet(err)
}

// Commit implements [projector.Batch].
func (b *batch) Commit(ctx context.Context, change projector.Change) error {
	h := b.holding
	if !h.usable(b) {
		return fmt.Errorf("projection %s: shard %d was released: %w", h.target.projection, h.shard.Number, projector.ErrFenced)
	}
	own := len(b.queue.owners)
	if err := b.finish(ctx, change); err != nil {
		b.end(ctx)
		if ledger.StateOf(err) == ledger.Aborted {
			return &projector.Blame{ID: b.running.ID, Err: errAborted}
		}
		return h.target.fault(ctx, fmt.Sprintf("commit shard %d", h.shard.Number), err)
	}
	err := b.queue.send(ctx, b.raw)
	if err == nil {
		h.close(b, func() { b.conn.Release() })
		return nil
	}
	failed := b.queue.failed
	lost := b.raw.PgConn().IsClosed()
	b.end(ctx)
	switch {
	case failed < own:
		return b.judge(ctx, err)
	case failed == own && ledger.StateOf(err) == ledger.DivisionByZero:
		return fmt.Errorf("projection %s: a function has ended the transaction it was given, so rows may have been committed without the checkpoint; mend it and rebuild the projection: %w", h.target.projection, projector.ErrUnfit)
	case failed == own && ledger.StateOf(err) == ledger.Aborted:
		return &projector.Blame{ID: b.running.ID, Err: errAborted}
	case failed == own+1 && ledger.StateOf(err) == ledger.DivisionByZero:
		return fmt.Errorf("projection %s: shard %d: %w", h.target.projection, h.shard.Number, projector.ErrFenced)
	case lost:
		return h.target.fault(ctx, fmt.Sprintf("commit shard %d, so it is not known whether that took place", h.shard.Number), err)
	}
	return h.target.fault(ctx, fmt.Sprintf("commit shard %d", h.shard.Number), err)
}

// finish adds what the toolkit commits with the rows. A check that finds nothing divides by zero, so that what is behind it is not run.
func (b *batch) finish(ctx context.Context, change projector.Change) error {
	h, t := b.holding, b.holding.target.tables
	err := b.add(ctx, nil, `select 1 / (case when current_setting('muster.batch', true) = $1 then 1 else 0 end)`, b.mark)
	err = b.add(ctx, err, `with held as (update `+t.Shards+` set acts = case when $5::bigint = 0 then acts else $5 end
		where projection = $1 and generation = $2 and shard = $3 and epoch = $4 returning 1) select 1 / count(*)::int from held`, h.place(h.epoch, change.Acts)...)
	for _, c := range change.Checkpoints {
		err = b.add(ctx, err, `insert into `+t.Checkpoints+` (projection, generation, shard, topic, source, topic_id, next_offset, last_event, last_offset, event_time)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
			on conflict (projection, generation, shard, topic, source) do update set topic_id = excluded.topic_id, next_offset = excluded.next_offset,
			last_event = excluded.last_event, last_offset = excluded.last_offset, event_time = excluded.event_time`,
			h.place(c.Source.Topic, c.Source.Partition, c.TopicID[:], c.Next, c.LastEvent, c.LastAt, moment(c.Time))...)
	}
	if len(change.Remove) > 0 {
		err = b.add(ctx, err, `delete from `+t.Letters+` where projection = $1 and generation = $2 and shard = $3 and id = any($4)`, h.place(change.Remove)...)
	}
	for i := range change.Put {
		l := &change.Put[i]
		bytes, encodeErr := ledger.Encode(l)
		if encodeErr != nil {
			return encodeErr
		}
		err = b.add(ctx, err, `insert into `+t.Letters+` (projection, generation, shard, id, place, kind, event_key, reason, cause, attempts, put_aside, letter)
			values ($1, $2, $3, $4, (select coalesce(max(place), 0) + 1 from `+t.Letters+` where projection = $1 and generation = $2 and shard = $3), $5, $6, $7, $8, $9, $10, $11)
			on conflict (projection, generation, shard, id) do update set kind = excluded.kind, event_key = excluded.event_key, reason = excluded.reason,
			cause = excluded.cause, attempts = excluded.attempts, put_aside = excluded.put_aside, letter = excluded.letter`,
			h.place(l.ID, string(l.Kind), ledger.Shown(l.Key), l.Reason, ledger.Shown(l.Cause), l.Attempts, moment(l.At), bytes)...)
	}
	return b.add(ctx, err, "commit")
}

// add puts one of the toolkit's statements into the queue, unless there was an error before.
func (b *batch) add(ctx context.Context, before error, sql string, args ...any) error {
	if before != nil {
		return before
	}
	if err := b.ready(ctx, sql); err != nil {
		return err
	}
	b.queue.batch.Queue(sql, args...)
	return nil
}

// moment gives a time as a column takes it: null for none.
func moment(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

// Rollback implements [projector.Batch].
func (b *batch) Rollback() { b.end(b.queue.ctx) }

// end rolls back and gives the connection back, unless that was done.
func (b *batch) end(ctx context.Context) {
	b.holding.close(b, func() {
		session := b.raw.PgConn()
		switch {
		case session.IsClosed() || session.TxStatus() == 'I':
			b.conn.Release()
		default:
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackLimit)
			defer cancel()
			_ = b.tx.Tx.Rollback(ctx) // a connection on which this fails is closed, which rolls back as well
			b.conn.Release()
		}
	})
}

// rollbackLimit bounds a rollback; behind it the connection is closed.
const rollbackLimit = 5 * time.Second

// cut takes the connection out of the pool and closes it below, beside whoever may still be using it: what that does next fails.
func (b *batch) cut() {
	b.conn.Hijack()
	_ = b.raw.PgConn().Conn().Close()
}
