package main

import (
	"context"
	"database/sql"
	"errors"

	_ "modernc.org/sqlite" // the driver

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/bank/bank"
	"github.com/seed-3eec0498/muster/examples/bank/bankpb"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/sqldb"
)

// openLedger opens the database of the statements. One transaction writes at a time, so others wait; readers do not.
func openLedger(ctx context.Context, path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)")
	if err != nil {
		return nil, err
	}
	_, err = db.ExecContext(ctx, `create table if not exists statement
		(account text, revision int, amount int, note text, primary key (account, revision))`)
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	return db, nil
}

// newLedger is the table statement: a line for each event. What a function writes is committed with how far the table is, so no line is there
// twice and none is missing, whatever crashes.
func newLedger(db *sql.DB) *sqldb.Projection {
	l := sqldb.New("statement", db, sqldb.SQLite()).OnReset(func(ctx context.Context, tx *sqldb.Tx, s projector.Shard) error {
		if s.Number != projector.Whole {
			return errors.New("the table does not tell which partition a line is from; rebuild all of it")
		}
		_, err := tx.ExecContext(ctx, "delete from statement")
		return err
	})
	line := func(ctx context.Context, tx *sqldb.Tx, m muster.Meta, amount int64, note string) error {
		_, err := tx.ExecContext(ctx, "insert into statement values (?, ?, ?, ?)", m.AggregateID, m.Revision, amount, note)
		return err
	}
	projector.On(l, bank.Opened, func(ctx context.Context, tx *sqldb.Tx, e *bankpb.Opened, m muster.Meta) error {
		return line(ctx, tx, m, 0, "opened for "+e.GetHolder())
	})
	projector.On(l, bank.Credited, func(ctx context.Context, tx *sqldb.Tx, e *bankpb.Credited, m muster.Meta) error {
		return line(ctx, tx, m, e.GetAmount(), e.GetText())
	})
	projector.On(l, bank.Debited, func(ctx context.Context, tx *sqldb.Tx, e *bankpb.Debited, m muster.Meta) error {
		return line(ctx, tx, m, -e.GetAmount(), e.GetText())
	})
	return l
}
