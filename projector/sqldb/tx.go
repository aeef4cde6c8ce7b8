package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/internal/ledger"
)

// Tx is the transaction that functions get: the methods of sql.Tx but those that end it. It fits what sqlc and the like call DBTX. It is of no use
// after the function has returned.
type Tx struct {
	tx      *sql.Tx
	running projector.Running
	failed  error // of a statement, since the function began
}

// ErrNotYours is what a function gets that tries to end the transaction it was given.
var ErrNotYours = errors.New("sqldb: the transaction is committed together with the checkpoint, by the toolkit; return an error to have it rolled back, or use a savepoint")

// Running tells which event is in hand: its shard, its key, and an id that is the same each time it is run.
func (t *Tx) Running() projector.Running { return t.running }

// ExecContext is that of sql.Tx.
func (t *Tx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if ledger.Ends(query) {
		return nil, refused(query)
	}
	result, err := t.tx.ExecContext(ctx, query, args...)
	return result, t.note(err)
}

// QueryContext is that of sql.Tx.
func (t *Tx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if ledger.Ends(query) {
		return nil, refused(query)
	}
	rows, err := t.tx.QueryContext(ctx, query, args...) //nolint:sqlclosecheck // the caller closes them
	return rows, t.note(err)
}

// QueryRowContext is that of sql.Tx.
func (t *Tx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if ledger.Ends(query) { // a row tells no reason of ours, so it is never asked for
		ended, cancel := context.WithCancel(ctx)
		cancel()
		return t.tx.QueryRowContext(ended, query, args...)
	}
	row := t.tx.QueryRowContext(ctx, query, args...)
	_ = t.note(row.Err()) // the caller gets it from Scan
	return row
}

// PrepareContext is that of sql.Tx.
func (t *Tx) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	if ledger.Ends(query) {
		return nil, refused(query)
	}
	statement, err := t.tx.PrepareContext(ctx, query)
	return statement, t.note(err)
}

func (t *Tx) note(err error) error {
	if err != nil && t.failed == nil {
		t.failed = err
	}
	return err
}

func refused(query string) error { return fmt.Errorf("%w (statement %.40q)", ErrNotYours, query) }
