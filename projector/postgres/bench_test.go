package postgres_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/pgtest"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/postgres"
)

// One row per event over 100,000 keys, 1,000 events in a transaction. bare is a loop over pgx that writes the same rows in batches and keeps no checkpoint;
// queue and exec are the runner with functions that queue their statement, or wait for each. Wanted: queue at half of bare or better, in rows per second.
func BenchmarkRows(b *testing.B) {
	const upsert = "insert into balances as b values ($1, $2) on conflict (account) do update set cents = b.cents + excluded.cents"
	account := func(n int) string { return fmt.Sprint("account-", n*7919%100_000) }
	table := func(b *testing.B) *pgxpool.Pool {
		pool := open(b, pgtest.Database(b))
		run(b, pool, "create table balances (account text primary key, cents bigint)")
		return pool
	}
	b.Run("bare", func(b *testing.B) {
		pool := table(b)
		b.ResetTimer()
		for n := 0; n < b.N; {
			err := pgx.BeginFunc(b.Context(), pool, func(tx pgx.Tx) error {
				var batch pgx.Batch
				for end := min(n+1000, b.N); n < end; n++ {
					batch.Queue(upsert, account(n), 1)
				}
				return tx.SendBatch(b.Context(), &batch).Close()
			})
			if err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	})
	for name, write := range map[string]func(ctx context.Context, tx pgx.Tx, sql string, args ...any) error{
		"queue": postgres.Queue,
		"exec": func(ctx context.Context, tx pgx.Tx, sql string, args ...any) error {
			_, err := tx.Exec(ctx, sql, args...)
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			pool := table(b)
			j := newBank(1, 0)
			for n := range b.N {
				j.append(0, account(n), 1)
			}
			p := postgres.New("balances", pool)
			projector.On(p, j.credited, func(ctx context.Context, tx pgx.Tx, e credited, m muster.Meta) error {
				return write(ctx, tx, upsert, m.AggregateID, e.Amount)
			})
			runner, err := j.runner(b.Context(), p)
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(b.Context())
			done := make(chan error, 1)
			b.ResetTimer()
			go func() { done <- runner.Run(ctx) }()
			waitUntil(func() bool { return caughtUp(runner) })
			b.StopTimer()
			cancel()
			if err := <-done; err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			if sum := count(b, pool, "select sum(cents) from balances"); sum != b.N {
				b.Fatalf("the balances have %d events of %d", sum, b.N)
			}
		})
	}
}
