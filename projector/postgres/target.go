package postgres

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/internal/ledger"
)

// target keeps one projection in a database.
type target struct {
	projection *Projection
	prefix     string // of the topics: stages that share a database are apart
	tables     ledger.Tables

	mu       sync.Mutex // guards prepared; held while the tables are made
	prepared bool
}

// errSuperseded says that a shard of an older generation is asked for.
var errSuperseded = errors.New("the projection was rebuilt meanwhile")

// Claim implements [projector.Target]. The epoch is a moment of the database's clock in microseconds, or one more than the last: it grows also where the
// row was dropped in between, so that nobody's old epoch ever fits again.
func (t *target) Claim(ctx context.Context, shard projector.Shard) (projector.Holding, error) {
	if err := t.prepare(ctx); err != nil {
		return nil, err
	}
	h := &holding{target: t, shard: shard}
	err := t.within(ctx, func(tx pgx.Tx) error {
		if !t.projection.beside {
			if err := t.generation(ctx, tx, shard); err != nil {
				return err
			}
		}
		return tx.QueryRow(ctx, `insert into `+t.tables.Shards+` as s (projection, generation, shard, epoch, acts, claimed)
			values ($1, $2, $3, (extract(epoch from clock_timestamp()) * 1000000)::bigint, 0, now())
			on conflict (projection, generation, shard) do update set epoch = greatest(s.epoch + 1, excluded.epoch), claimed = now()
			returning epoch`, t.name(shard), shard.Generation, shard.Number).Scan(&h.epoch)
	})
	if err != nil {
		return nil, t.fault(ctx, fmt.Sprintf("claim shard %d", shard.Number), err)
	}
	h.label = fmt.Sprintf("%s%d/%d", t.label(shard), shard.Number, h.epoch)
	// Whoever held the shard cannot commit any more, but may hold locks on rows that the next batch writes, and be asleep. A fault here costs
	// nothing but time: the idle limit ends that session, too.
	_ = t.end(ctx, t.projection.pool, fmt.Sprintf("%s%d/", t.label(shard), shard.Number), h.label)
	return h, nil
}

// generation takes the row of the projection, so that claims and drops of its shards come one after another, and begins a newer generation: what
// was before it is fenced and removed.
func (t *target) generation(ctx context.Context, tx pgx.Tx, shard projector.Shard) error {
	if _, err := tx.Exec(ctx, `insert into `+t.tables.Projections+` (projection, generation) values ($1, $2) on conflict do nothing`, t.name(shard), shard.Generation); err != nil {
		return err
	}
	var last int
	err := tx.QueryRow(ctx, `select generation from `+t.tables.Projections+` where projection = $1 for update`, t.name(shard)).Scan(&last)
	switch {
	case err != nil || last == shard.Generation:
		return err
	case last > shard.Generation:
		return fmt.Errorf("generation %d is not the last one, which is %d: %w", shard.Generation, last, errSuperseded)
	case t.projection.reset == nil:
		return errors.New("it has no function to remove its rows, so it cannot be rebuilt in place; add OnReset, or build a new version with tables of its own")
	}
	for _, table := range []string{t.tables.Shards, t.tables.Checkpoints, t.tables.Letters} {
		if _, err := tx.Exec(ctx, `delete from `+table+` where projection = $1`, t.name(shard)); err != nil {
			return err
		}
	}
	old := shard
	old.Generation, old.Number = last, projector.Whole
	if err := t.end(ctx, tx, t.label(old), ""); err != nil {
		return err
	}
	if err := t.resetRows(ctx, tx, old); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `update `+t.tables.Projections+` set generation = $2 where projection = $1`, t.name(shard), shard.Generation)
	return err
}

// Drop implements [projector.Target].
func (t *target) Drop(ctx context.Context, shard projector.Shard) error {
	if err := t.prepare(ctx); err != nil {
		return err
	}
	err := t.within(ctx, func(tx pgx.Tx) error {
		if !t.projection.beside {
			var last int
			err := tx.QueryRow(ctx, `select generation from `+t.tables.Projections+` where projection = $1 for update`, t.name(shard)).Scan(&last)
			if errors.Is(err, pgx.ErrNoRows) || err == nil && last != shard.Generation {
				return nil // it went with its generation, and the rows are those of the next one
			}
			if err != nil {
				return err
			}
		}
		for _, table := range []string{t.tables.Shards, t.tables.Checkpoints, t.tables.Letters} {
			if _, err := tx.Exec(ctx, `delete from `+table+` where projection = $1 and generation = $2 and shard = $3`, t.name(shard), shard.Generation, shard.Number); err != nil {
				return err
			}
		}
		if err := t.end(ctx, tx, fmt.Sprintf("%s%d/", t.label(shard), shard.Number), ""); err != nil {
			return err
		}
		if t.projection.reset == nil {
			return nil
		}
		return t.resetRows(ctx, tx, shard)
	})
	if err != nil {
		return t.fault(ctx, fmt.Sprintf("drop shard %d", shard.Number), err)
	}
	return nil
}

// name is what a projection is called in the tables.
func (t *target) name(shard projector.Shard) string { return t.prefix + shard.Projection }

// ownIdle is the idle limit of the toolkit's own transactions, where that of the projection is not shorter: they think of nothing between two statements.
// A process that falls asleep in one has the row of the projection locked, and nobody else could claim any shard.
const ownIdle = 5 * time.Second

// within runs fn in a transaction of the toolkit's own.
func (t *target) within(ctx context.Context, fn func(tx pgx.Tx) error) error {
	conn, err := t.conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	return pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{BeginQuery: "begin; " + t.ownLimit()}, fn)
}

// ownLimit bounds how long the toolkit's own transactions may think.
func (t *target) ownLimit() string { return idleLimit(min(ownIdle, t.projection.idle)) }

// idleLimit is the statement that bounds how long the server waits for the next one of a transaction.
func idleLimit(limit time.Duration) string {
	return fmt.Sprintf("set local idle_in_transaction_session_timeout = %d", limit.Milliseconds())
}

// resetRows calls the user's function, which may think as long as any other.
func (t *target) resetRows(ctx context.Context, tx pgx.Tx, shard projector.Shard) error {
	if _, err := tx.Exec(ctx, idleLimit(t.projection.idle)); err != nil {
		return err
	}
	if err := t.projection.reset(ctx, &hand{Tx: tx}, shard); err != nil {
		return fmt.Errorf("OnReset: %w", err)
	}
	_, err := tx.Exec(ctx, t.ownLimit())
	return err
}

// conn takes a connection, for which it waits a bounded time.
func (t *target) conn(ctx context.Context) (*pgxpool.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, t.projection.acquire)
	defer cancel()
	return t.projection.pool.Acquire(ctx)
}

// label is what the sessions of a generation's batches are called in pg_stat_activity, up to the number of the shard.
func (t *target) label(shard projector.Shard) string {
	sum := sha256.Sum256([]byte(t.tables.Shards + " " + t.name(shard)))
	return fmt.Sprintf("muster/%x/%d/", sum[:6], shard.Generation)
}

// end ends the sessions of batches whose name begins so, but one. They belong to this projection, and can commit nothing any more.
func (t *target) end(ctx context.Context, db interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}, label, but string,
) error {
	const limit = 5 * time.Second
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	_, err := db.Exec(ctx, `select pg_terminate_backend(pid) from pg_stat_activity
		where datname = current_database() and usename = current_user and starts_with(application_name, $1) and application_name <> $2`, label, but)
	return err
}
