// Package sqldb keeps SQL read models in any database that database/sql reaches: SQLite, PostgreSQL, and others by an [Engine] of your own. For PostgreSQL
// the package postgres beside it is faster and finds more faults. A function gets a [Tx]; what it writes through it, the checkpoint and whatever was put
// aside are committed together, so the tables are exact after any crash.
//
//	totals := sqldb.New("totals", db, sqldb.SQLite())
//	projector.On(totals, bank.Credited, func(ctx context.Context, tx *sqldb.Tx, e *bankpb.Credited, m muster.Meta) error {
//		_, err := tx.ExecContext(ctx, "update totals set amount = amount + ?", e.Amount)
//		return err
//	})
//
// Each batch of events is one transaction. Its last statements check that the shard's row still has the epoch of our claim and write the checkpoints; a
// holder that was replaced is refused there. SQLite lets one transaction write at a time: batches of several shards wait for each other, so set a
// busy timeout, and journal mode WAL for readers beside them.
package sqldb
