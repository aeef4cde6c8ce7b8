package postgres_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-3eec0498/muster/internal/pgtest"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/postgres"
)

func TestMain(m *testing.M) {
	if os.Getenv("MUSTER_CHILD") != "" { // a process of a test, to be killed or stopped
		if err := child(); err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(pgtest.Main(m))
}

// open gives a pool on a database of the test's own.
func open(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func run(t testing.TB, pool *pgxpool.Pool, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := pool.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func target(t testing.TB, p *postgres.Projection) projector.Target {
	t.Helper()
	target, err := p.Target(t.Context(), projector.Host{})
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// shard is the only one of a projection called name@1.
func shard(name string) projector.Shard {
	return projector.Shard{Projection: name + "@1", Name: name, Version: 1, Sources: []projector.Source{{Topic: "accounts.events"}}}
}

func claim(t testing.TB, target projector.Target, shard projector.Shard) projector.Holding {
	t.Helper()
	h, err := target.Claim(t.Context(), shard)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func begin(t testing.TB, h projector.Holding) projector.Batch {
	t.Helper()
	b, err := h.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Rollback)
	return b
}

// change is a checkpoint at next.
func change(next int64) projector.Change {
	return projector.Change{Checkpoints: []projector.Checkpoint{{Source: projector.Source{Topic: "accounts.events"}, Next: next, LastAt: next - 1, LastEvent: "e"}}}
}

// next gives the stored checkpoint of the only source, -1 when there is none.
func next(t testing.TB, h projector.Holding) int64 {
	t.Helper()
	stored, err := h.Stored(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(stored.Checkpoints) == 0 {
		return -1
	}
	return stored.Checkpoints[0].Next
}

func count(t testing.TB, pool *pgxpool.Pool, query string, args ...any) int {
	t.Helper()
	var n int
	if err := pool.QueryRow(context.WithoutCancel(t.Context()), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}
