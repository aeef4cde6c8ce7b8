package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/pgtest"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/postgres"
)

const (
	sqlTable  = "create table %s (key text primary key, row bytea not null)"
	sqlUpsert = "insert into %s (key, row) values ($1, $2) on conflict (key) do update set row = excluded.row"
)

// viewPostgres is a read model in PostgreSQL: one row written per event. The server is started for the pass.
func viewPostgres(ctx context.Context, c *cluster, s sizes) (p pass, err error) {
	server, err := pgtest.Start(ctx)
	if err != nil {
		return pass{}, err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	pool, err := pool(ctx, server)
	if err != nil {
		return pass{}, err
	}
	defer pool.Close()
	at, drop, err := c.stage(ctx, "view-postgres")
	if err != nil {
		return pass{}, err
	}
	defer drop()
	names := keys(c.cfg.seed, min(s.keys, s.sql))
	if err := c.history(ctx, at, s.sql, s.payload, names); err != nil {
		return pass{}, fmt.Errorf("journal: %w", err)
	}
	spent := c.meter()
	took, err := c.projected(ctx, at, s.sql, newSQLView(at, pool), nil)
	if err == nil {
		err = rowsIn(ctx, pool, "ours", len(names))
	}
	if err != nil {
		return pass{}, err
	}
	p = pass{Value: rate(s.sql, took), Detail: map[string]float64{}}
	spent.per(c, p.Detail, "", "event", float64(s.sql))
	if !c.cfg.raw {
		return p, nil
	}
	spent = c.meter()
	if took, err = c.postgresRaw(ctx, pool, s, names); err != nil {
		return pass{}, fmt.Errorf("bare loop: %w", err)
	}
	p.Raw = rate(s.sql, took)
	spent.per(c, p.Detail, "raw_", "event", float64(s.sql))
	return p, rowsIn(ctx, pool, "bare", len(names))
}

// pool connects to a server that has the tables of both sides.
func pool(ctx context.Context, server *pgtest.Server) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(server.URL("postgres"))
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = partitions + 2 // a shard each, and what the toolkit does beside them
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	for _, table := range []string{"ours", "bare"} {
		if _, err := pool.Exec(ctx, fmt.Sprintf(sqlTable, table)); err != nil {
			pool.Close()
			return nil, err
		}
	}
	return pool, nil
}

func newSQLView(at *stage, pool *pgxpool.Pool) *postgres.Projection {
	v, upsert := postgres.New(projectionName, pool), fmt.Sprintf(sqlUpsert, "ours")
	projector.On(v, at.recorded, func(ctx context.Context, tx pgx.Tx, e *wrapperspb.BytesValue, m muster.Meta) error {
		return postgres.Queue(ctx, tx, upsert, m.AggregateID, e.Value)
	})
	return v
}

// postgresRaw is the bare loop beside view-postgres: one connection, the same rows, as many in a transaction, sent as one pgx.Batch each.
func (c *cluster) postgresRaw(ctx context.Context, pool *pgxpool.Pool, s sizes, names []string) (time.Duration, error) {
	row, upsert, began := filling(c.cfg.seed, s.payload), fmt.Sprintf(sqlUpsert, "bare"), time.Now()
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Release()
	for i := 0; i < s.sql; {
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			var batch pgx.Batch
			for range min(rawBatch, s.sql-i) {
				batch.Queue(upsert, names[i%len(names)], row)
				i++
			}
			return tx.SendBatch(ctx, &batch).Close()
		})
		if err != nil {
			return 0, err
		}
	}
	return time.Since(began), nil
}

// rowsIn holds the number of rows of a table against what it should be.
func rowsIn(ctx context.Context, pool *pgxpool.Pool, table string, want int) error {
	var got int
	if err := pool.QueryRow(ctx, "select count(*) from "+table).Scan(&got); err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("table %s has %d rows, want %d", table, got, want)
	}
	return nil
}
