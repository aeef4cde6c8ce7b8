package postgres_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/crypto/postgres"
	"github.com/seed-3eec0498/muster/internal/pgtest"
	"github.com/seed-3eec0498/muster/mustertest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// keyPool gives a pool on a database.
func keyPool(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func openKeys(t testing.TB, pool *pgxpool.Pool, c postgres.Config) *postgres.Keys {
	t.Helper()
	store, err := postgres.Open(t.Context(), pool, c)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// fixtures gives stores in one database, each in a table of its own.
func fixtures(t *testing.T) func(t testing.TB) mustertest.KeyStoreFixture {
	pool, other, number := keyPool(t, pgtest.Database(t)), (*pgxpool.Pool)(nil), 0
	other = keyPool(t, pool.Config().ConnString())
	return func(t testing.TB) mustertest.KeyStoreFixture {
		number++
		c := postgres.Config{Schema: "keys", Prefix: "space_" + string(rune('a'+number))}
		return mustertest.KeyStoreFixture{
			Steps: 3, Store: openKeys(t, pool, c), Other: openKeys(t, other, c),
			Restart: func(t testing.TB) crypto.KeyStore { return openKeys(t, pool, c) },
			Cut: func(t testing.TB) {
				if _, err := other.Exec(t.Context(), "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'watch keys_' || $1 || '_keys'", c.Prefix); err != nil {
					t.Fatal(err)
				}
			},
		}
	}
}

func TestKeys(t *testing.T)        { mustertest.KeyStore(t, fixtures(t)) }
func TestKeysMachine(t *testing.T) { mustertest.KeyStoreMachine(t, fixtures(t)) }

// A table of another format is not touched.
func TestAnotherFormat(t *testing.T) {
	pool := keyPool(t, pgtest.Database(t))
	for _, statement := range append(postgres.Statements(postgres.Config{}), "comment on table muster_keys is 'muster keys 2'") {
		if _, err := pool.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := postgres.Open(t.Context(), pool, postgres.Config{}); err == nil || !strings.Contains(err.Error(), "muster keys 2") {
		t.Errorf("a newer table: %v", err)
	}
	if _, err := postgres.Open(t.Context(), pool, postgres.Config{Prefix: `x" ; drop`}); err == nil {
		t.Error("a prefix that is no name was taken")
	}
}

// A database that is away says nothing about keys.
func TestDatabaseAway(t *testing.T) {
	pool := keyPool(t, pgtest.Database(t))
	store := openKeys(t, pool, postgres.Config{Beat: time.Second})
	subject := crypto.SubjectRef{1}
	if _, err := store.Destroy(t.Context(), subject, "erasure"); err != nil {
		t.Fatal(err)
	}
	pool.Close()
	_, err := store.Lookup(t.Context(), subject, crypto.KeyID{1})
	wantUnavailable(t, err)
	_, err = store.Active(t.Context(), crypto.SubjectRef{2})
	wantUnavailable(t, err)
	wantUnavailable(t, store.Watch(t.Context(), func() { t.Error("ready") }, nil))
	wantUnavailable(t, store.Scan(t.Context(), nil))
}

func wantUnavailable(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, crypto.ErrKeyUnavailable) || errors.Is(err, crypto.ErrShredded) || errors.Is(err, crypto.ErrKeyMissing) {
		t.Errorf("a database that is away gives %v; want ErrKeyUnavailable", err)
	}
}

// bounded gives a context that outlives the test, for what cleans up behind it.
func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	t.Cleanup(cancel)
	return ctx
}
