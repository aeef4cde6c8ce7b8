package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/internal/ledger"
)

// hand is the transaction that functions get. It is the toolkit's to end, and what was queued goes out before anything that could see it.
type hand struct {
	pgx.Tx
	batch *batch // nil where a reset runs in it
}

// ErrNotYours is what a function gets that tries to end the transaction it was given.
var ErrNotYours = errors.New("postgres: the transaction is committed together with the checkpoint, by the toolkit; return an error to have it rolled back, or use Begin for a savepoint")

// Commit refuses.
func (*hand) Commit(context.Context) error { return ErrNotYours }

// Rollback refuses.
func (*hand) Rollback(context.Context) error { return ErrNotYours }

// Begin begins a savepoint, which is the function's to release or to roll back.
func (t *hand) Begin(ctx context.Context) (pgx.Tx, error) {
	if err := t.before(ctx, ""); err != nil {
		return nil, err
	}
	return t.Tx.Begin(ctx)
}

// Exec implements [pgx.Tx].
func (t *hand) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if err := t.before(ctx, sql); err != nil {
		return pgconn.CommandTag{}, err
	}
	return t.Tx.Exec(ctx, sql, args...)
}

// Query implements [pgx.Tx].
func (t *hand) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if err := t.before(ctx, sql); err != nil {
		return nil, err
	}
	return t.Tx.Query(ctx, sql, args...)
}

// QueryRow implements [pgx.Tx].
func (t *hand) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if err := t.before(ctx, sql); err != nil {
		return failed{err}
	}
	return t.Tx.QueryRow(ctx, sql, args...)
}

// failed is a row that could not be asked for.
type failed struct{ err error }

// Scan gives the reason.
func (f failed) Scan(...any) error { return f.err }

// CopyFrom implements [pgx.Tx].
func (t *hand) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error) {
	if err := t.before(ctx, ""); err != nil {
		return 0, err
	}
	return t.Tx.CopyFrom(ctx, table, columns, rows)
}

// SendBatch implements [pgx.Tx].
func (t *hand) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	for _, q := range b.QueuedQueries {
		if err := t.before(ctx, q.SQL); err != nil {
			return failedBatch{err}
		}
	}
	return t.Tx.SendBatch(ctx, b)
}

// failedBatch is the result of statements that were not sent.
type failedBatch struct{ err error }

// Exec gives the reason.
func (f failedBatch) Exec() (pgconn.CommandTag, error) { return pgconn.CommandTag{}, f.err }

// Query gives the reason.
func (f failedBatch) Query() (pgx.Rows, error) { return nil, f.err }

// QueryRow gives the reason.
func (f failedBatch) QueryRow() pgx.Row { return failed(f) }

// Close gives the reason.
func (f failedBatch) Close() error { return f.err }

// Tx gives none.
func (f failedBatch) Tx() pgx.Tx { return nil }

// before refuses what would end the transaction, and sends what is queued.
func (t *hand) before(ctx context.Context, sql string) error {
	if ledger.Ends(sql) {
		return fmt.Errorf("%w (statement %.40q)", ErrNotYours, sql)
	}
	if t.batch == nil {
		return nil
	}
	return t.batch.flush(ctx)
}

// Queue hands a statement over that is sent with others in one go: at the commit, or before the next statement that is not queued. It saves a round trip
// per event, which is most of the cost of a small write. What the statement gives is not looked at; an error is a failure of the event that queued
// it, as ever. On a transaction that is not the one the function was given, such as a savepoint, it is executed at once.
func Queue(ctx context.Context, tx pgx.Tx, sql string, args ...any) error {
	t, is := tx.(*hand)
	if !is || t.batch == nil {
		_, err := tx.Exec(ctx, sql, args...)
		return err
	}
	if ledger.Ends(sql) {
		return fmt.Errorf("%w (statement %.40q)", ErrNotYours, sql)
	}
	return t.batch.enqueue(ctx, sql, args)
}

// Running tells which event is in hand on a transaction that a function was given: its shard, its key, and an id that is the same each time it is run.
// It is the zero value on any other.
func Running(tx pgx.Tx) projector.Running {
	if t, is := tx.(*hand); is && t.batch != nil {
		return t.batch.running
	}
	return projector.Running{}
}
