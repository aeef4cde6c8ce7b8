package postgres

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/seed-3eec0498/muster/projector"
)

// flushAt is how many statements are queued at most before they are sent.
const flushAt = 500

// queue is statements that wait to be sent in one go.
//
//	len(owners) <= batch.Len(); the rest is the toolkit's own
type queue struct {
	ctx    context.Context //nolint:containedctx // of Begin; a rollback, which gets none, has its values
	batch  pgx.Batch
	owners []string // the event of each statement
	failed int      // which statement did, after send
	fault  error    // of a send before the commit: the transaction is lost with it
}

// enqueue adds a statement of the event in hand.
func (b *batch) enqueue(ctx context.Context, sql string, args []any) error {
	if b.queue.fault != nil {
		return b.queue.fault
	}
	if !b.queues() || !b.known(sql) {
		_, err := b.tx.Exec(ctx, sql, args...)
		return err
	}
	if err := b.ready(ctx, sql); err != nil {
		return err
	}
	b.queue.batch.Queue(sql, args...)
	b.queue.owners = append(b.queue.owners, b.running.ID)
	if len(b.queue.owners) < flushAt {
		return nil
	}
	return b.flush(ctx)
}

// preparedMost is how many different statements of functions are kept prepared on a connection. Texts with values in them would be without end.
const preparedMost = 200

// known tells whether a statement is among those that are queued. Others are executed at once, by the driver's cache, which forgets.
func (b *batch) known(sql string) bool {
	const name = "muster statements"
	texts, _ := b.raw.PgConn().CustomData()[name].(map[string]bool)
	if texts == nil {
		texts = map[string]bool{}
		b.raw.PgConn().CustomData()[name] = texts
	}
	if !texts[sql] && len(texts) < preparedMost {
		texts[strings.Clone(sql)] = true
	}
	return texts[sql]
}

// queues tells whether the pool's mode lets an error in a batch be traced to its statement. Where statements are described first, and not kept, it does not.
func (b *batch) queues() bool {
	switch b.raw.Config().DefaultQueryExecMode {
	case pgx.QueryExecModeCacheStatement, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol:
		return true
	default:
		return false
	}
}

// ready has a statement prepared on the connection, so that one that cannot be is a fault of who brings it and not of the whole queue. It is a
// round trip the first time only.
func (b *batch) ready(ctx context.Context, sql string) error {
	if b.raw.Config().DefaultQueryExecMode != pgx.QueryExecModeCacheStatement {
		return nil
	}
	_, err := b.raw.Prepare(ctx, sql, sql)
	return err
}

// flush sends what is queued.
func (b *batch) flush(ctx context.Context) error {
	if b.queue.fault == nil && len(b.queue.owners) > 0 {
		b.queue.fault = b.queue.send(ctx, b.raw)
	}
	return b.queue.fault
}

// send sends everything and empties the queue. The error of a statement that has an owner is a [projector.Blame], unless the store is at fault.
func (q *queue) send(ctx context.Context, conn *pgx.Conn) error {
	results := conn.SendBatch(ctx, &q.batch)
	var fault error
	for q.failed = 0; q.failed < q.batch.Len(); q.failed++ {
		if _, fault = results.Exec(); fault != nil {
			break
		}
	}
	err := results.Close()
	if fault == nil {
		fault = err
	}
	if fault != nil && q.failed < len(q.owners) && !ByStore(fault) && !errors.Is(fault, context.DeadlineExceeded) && !errors.Is(fault, context.Canceled) {
		fault = &projector.Blame{ID: q.owners[q.failed], Err: fault}
	}
	q.batch, q.owners = pgx.Batch{}, q.owners[:0]
	return fault
}
