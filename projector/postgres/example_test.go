package postgres_test

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/postgres"
)

type movement struct {
	Cents int64 `json:"cents"`
}

var (
	ledgers = muster.NewGroup("ledgers", muster.Partitions(12))
	moved   = muster.NewEvent[movement](ledgers, "bank.Moved")
)

// The rows of a statement table and the checkpoint are one transaction. The tables of the toolkit go into a schema of their own.
func ExampleNew() {
	pool, err := pgxpool.New(context.Background(), "postgres://bank@localhost/bank?pool_max_conns=16")
	if err != nil {
		return
	}
	statement := postgres.New("statement", pool).Schema("projections").OnReset(func(ctx context.Context, tx pgx.Tx, shard projector.Shard) error {
		if shard.Number == projector.Whole {
			_, err := tx.Exec(ctx, "truncate statement")
			return err
		}
		_, err := tx.Exec(ctx, "delete from statement where shard = $1", shard.Number)
		return err
	})
	projector.On(statement, moved, func(ctx context.Context, tx pgx.Tx, e movement, m muster.Meta) error {
		_, err := tx.Exec(ctx, "insert into statement (account, revision, shard, cents) values ($1, $2, $3, $4)", m.AggregateID, int64(m.Revision), m.Partition, e.Cents)
		return err
	})
	// service.Open(ctx, config, statement)
}

// Statements that are queued are sent in one go, which saves a round trip for each event.
func ExampleQueue() {
	var statement *postgres.Projection
	_ = func() {
		projector.On(statement, moved, func(ctx context.Context, tx pgx.Tx, e movement, m muster.Meta) error {
			return postgres.Queue(ctx, tx, "update balances set cents = cents + $2 where account = $1", m.AggregateID, e.Cents)
		})
	}
}
