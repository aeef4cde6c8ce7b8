// Package postgres keeps SQL read models in PostgreSQL. A function gets a pgx.Tx; what it writes through it, the checkpoint and whatever was put aside are
// committed together, so the tables are exact after any crash.
//
//	statement := postgres.New("statement", pool)
//	projector.On(statement, bank.Credited, func(ctx context.Context, tx pgx.Tx, e *bankpb.Credited, m muster.Meta) error {
//		_, err := tx.Exec(ctx, "insert into statement (account, revision, amount) values ($1, $2, $3)", m.AggregateID, m.Revision, e.Amount)
//		return err
//	})
//
// # One batch, from end to end
//
// Claim writes a new epoch into the row of the shard and ends the sessions of whoever held it before. Begin takes a connection and begins a transaction. The
// functions of up to [projector.BatchEvents] events write through it. Commit sends in one go: what functions have queued (see [Queue]), a check that the
// transaction is still the one that was begun, the row of the shard if it still has our epoch, the checkpoints, the letters, and COMMIT. Each
// runs only when what is before it was right, so a former holder, also one that was stopped for hours, changes nothing, and the row that all this hangs on is locked
// for the length of a commit alone.
//
// # Whose fault an error is
//
// A lost connection, a shutdown, a full disk, a standby, a missing right, a deadlock or a serialization failure is one of the store: the shard
// waits and tries again, no event is charged. All other errors of a function's statements are the event's, whose [projector.Policy] counts: a unique
// violation, a wrong type, a table that is not there, a statement over its time limit. A function that leaves the transaction aborted, or that ends
// it, is at fault itself. A failing event needs no savepoint: the batch is done again without it.
package postgres
