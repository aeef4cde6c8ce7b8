package sqldb_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver

	"github.com/seed-3eec0498/muster/internal/pgtest"
	"github.com/seed-3eec0498/muster/mustertest"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/sqldb"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// The port's promises hold in SQLite and in PostgreSQL.
func TestTarget(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		mustertest.Target(t, func(t *testing.T) mustertest.TargetFixture {
			path := file(t)
			return fixture(t, sqldb.SQLite(), func() *sql.DB { return openSQLite(t, path) })
		})
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		mustertest.Target(t, func(t *testing.T) mustertest.TargetFixture {
			url := pgtest.Database(t)
			return fixture(t, sqldb.PostgreSQL(), func() *sql.DB { return openPostgres(t, url) })
		})
	})
}

func file(t testing.TB) string { return filepath.Join(t.TempDir(), "views.db") }

func openSQLite(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func openPostgres(t testing.TB, url string) *sql.DB {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	db := stdlib.OpenDBFromPool(pool)
	t.Cleanup(func() {
		_ = db.Close()
		pool.Close()
	})
	return db
}

func fixture(t *testing.T, engine sqldb.Engine, open func() *sql.DB) mustertest.TargetFixture {
	reader := open()
	parameter := func(n int) string {
		if engine.Parameter == nil {
			return "?"
		}
		return engine.Parameter(n)
	}
	where := " where projection = " + parameter(1) + " and generation = " + parameter(2) + " and shard = " + parameter(3)
	run(t, reader, "create table pairs (projection text, generation int, shard int, pair text, value text, primary key (projection, generation, shard, pair))")
	instance := func() projector.Target {
		return target(t, sqldb.New("totals", open(), engine).SideBySide().OnReset(func(ctx context.Context, tx *sqldb.Tx, s projector.Shard) error {
			_, err := tx.ExecContext(ctx, "delete from pairs"+where, s.Projection, s.Generation, s.Number)
			return err
		}))
	}
	return mustertest.TargetFixture{
		Target: instance(), Beside: instance,
		Put: func(tx any, s projector.Shard, key, value string) error {
			_, err := tx.(*sqldb.Tx).ExecContext(t.Context(), "insert into pairs values ("+parameter(1)+", "+parameter(2)+", "+parameter(3)+", "+parameter(4)+", "+parameter(5)+`)
				on conflict (projection, generation, shard, pair) do update set value = excluded.value`, s.Projection, s.Generation, s.Number, key, value)
			return err
		},
		Rows: func(s projector.Shard) map[string]string {
			rows, err := reader.QueryContext(t.Context(), "select pair, value from pairs"+where, s.Projection, s.Generation, s.Number)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = rows.Close() }()
			got := map[string]string{}
			for rows.Next() {
				var key, value string
				if err := rows.Scan(&key, &value); err != nil {
					t.Fatal(err)
				}
				got[key] = value
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
			return got
		},
	}
}

func target(t testing.TB, p *sqldb.Projection) projector.Target {
	t.Helper()
	target, err := p.Target(t.Context(), projector.Host{})
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func run(t testing.TB, db *sql.DB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}
