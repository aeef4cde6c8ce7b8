package postgres_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-3eec0498/muster/internal/pgtest"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/postgres"
)

const bad = 13 // the amount at which these functions misbehave

// An error is charged to its event or to the store, by what the database says of it; rows are exact either way.
func TestWhoseFault(t *testing.T) {
	exec := func(sql string) func(context.Context, pgx.Tx) error {
		return func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, sql)
			return err
		}
	}
	raise := func(state string) func(context.Context, pgx.Tx) error {
		return exec("do $$ begin raise exception 'arranged' using errcode = '" + state + "'; end $$")
	}
	for _, c := range []struct {
		name   string
		bad    func(ctx context.Context, tx pgx.Tx) error
		charge bool // to the event, for good; else to the store, and the second run is right
		cause  string
	}{
		{"a unique violation", exec("insert into statement values ('x'), ('x')"), true, "duplicate key"},
		{"a queued unique violation", func(ctx context.Context, tx pgx.Tx) error {
			return postgres.Queue(ctx, tx, "insert into statement values ('x'), ('x')")
		}, true, "duplicate key"},
		{"a queued statement that cannot be prepared", func(ctx context.Context, tx pgx.Tx) error {
			return postgres.Queue(ctx, tx, "insert into nowhere values (1)")
		}, true, "nowhere"},
		{"an error that is not returned", func(ctx context.Context, tx pgx.Tx) error {
			_, _ = tx.Exec(ctx, "select 1/0")
			return nil
		}, true, "returned no error"},
		{"a statement over its time limit", raise("57014"), true, "arranged"},
		{"a commit", func(ctx context.Context, tx pgx.Tx) error { return tx.Commit(ctx) }, true, "by the toolkit"},
		{"a rollback", func(ctx context.Context, tx pgx.Tx) error { return tx.Rollback(ctx) }, true, "by the toolkit"},
		{"a commit as a statement", exec("/* now */ COMMIT"), true, "by the toolkit"},
		{"a panic behind a write", func(ctx context.Context, tx pgx.Tx) error {
			_ = exec("insert into statement values ('x')")(ctx, tx)
			panic("arranged")
		}, true, "the function panicked: string in "},
		{"a constraint that could be deferred", exec("insert into deferred values (1), (1)"), true, "duplicate key"},
		{"a deadlock", raise("40P01"), false, ""},
		{"a serialization failure", raise("40001"), false, ""},
		{"a full disk", raise("53100"), false, ""},
		{"a standby", raise("25006"), false, ""},
		{"a session that is ended", exec("select pg_terminate_backend(pg_backend_pid())"), false, ""},
		{"a connection that is lost and not told of", func(ctx context.Context, tx pgx.Tx) error {
			_ = exec("select pg_terminate_backend(pg_backend_pid())")(ctx, tx)
			return nil
		}, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			pool := open(t, pgtest.Database(t))
			run(t, pool, tables(""), "create table deferred (n int unique deferrable initially deferred)")
			b := newBank(1, 0)
			var runs atomic.Int32
			p := b.model(pool, "", func(ctx context.Context, tx pgx.Tx, e credited) error {
				if e.Amount == bad && (runs.Add(1) == 1 || c.charge) {
					return c.bad(ctx, tx)
				}
				return nil
			}, projector.OnFailure(projector.Policy{Tries: 2, First: time.Millisecond}))
			b.append(0, "a", 1)
			b.append(0, "b", 2, bad)
			b.append(0, "c", 3)
			b.append(0, "b", 4)
			runner, stop := b.start(t, p)
			eventually(t, "caught up", func() bool { return caughtUp(runner) })
			stop()
			want, letters := "5 events of 23", "" // 1+2+13+3+4
			if c.charge {
				want, letters = "3 events of 6", "parked 2, waiting 0"
			}
			var got, put string
			if err := pool.QueryRow(t.Context(), "select count(*) || ' events of ' || sum(amount) from statement").Scan(&got); err != nil || got != want {
				t.Errorf("rows: %s, %v; want %s", got, err, want)
			}
			if err := pool.QueryRow(t.Context(), "select coalesce(string_agg(kind || ' ' || attempts, ', ' order by place), '') from muster_letters").Scan(&put); err != nil || put != letters {
				t.Errorf("letters: %q, %v; want %q", put, err, letters)
			}
			if c.charge {
				var cause string
				if err := pool.QueryRow(t.Context(), "select cause from muster_letters where kind = 'parked'").Scan(&cause); err != nil || !strings.Contains(cause, c.cause) {
					t.Errorf("cause: %q, %v; want %q in it", cause, err, c.cause)
				}
			}
		})
	}
}

// A right that is missing is waited for, and the error says which GRANT helps.
func TestMissingRight(t *testing.T) {
	url := pgtest.Database(t)
	admin := open(t, url)
	role := "reader_of_" + admin.Config().ConnConfig.Database // roles are the server's, not the database's
	run(t, admin, tables(""), "create role "+role+" login", "grant insert, select, update on statement, totals to "+role)
	t.Cleanup(func() {
		for _, statement := range []string{"drop owned by " + role, "drop role " + role} {
			if _, err := admin.Exec(context.WithoutCancel(t.Context()), statement); err != nil {
				t.Error(err)
			}
		}
	})
	pool := open(t, strings.Replace(url, "postgres@", role+"@", 1))
	b := newBank(1, 3)
	p := b.model(pool, "", nil)
	t.Cleanup(pool.Reset)
	run(t, admin, p.Statements()...)
	runner, stop := b.start(t, p)
	said := func() string {
		for _, s := range runner.Status() {
			if s.State == projector.Away {
				return s.Error
			}
		}
		return ""
	}
	text := ""
	eventually(t, "away", func() bool { text = said(); return text != "" }) // in between it is claimed again
	if !strings.Contains(text, "GRANT SELECT, INSERT, UPDATE, DELETE ON muster_schema") || !strings.Contains(text, role) {
		t.Errorf("the error does not name what helps: %s", text)
	}
	run(t, admin, "grant select, insert, update, delete on all tables in schema public to "+role)
	eventually(t, "caught up", func() bool { return caughtUp(runner) })
	stop()
	if n := count(t, admin, "select count(*) from muster_letters"); n != 0 {
		t.Errorf("%d events were charged", n)
	}
}

// A pool that is too small is waited for, within a bounded time, and named.
func TestPoolExhausted(t *testing.T) {
	config, err := pgxpool.ParseConfig(pgtest.Database(t) + "&pool_max_conns=1")
	if err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	target := target(t, postgres.New("model", pool).Acquire(time.Second))
	h := claim(t, target, shard("model"))
	taken, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Begin(t.Context()); !errors.Is(err, projector.ErrStore) || !strings.Contains(err.Error(), "pool_max_conns") {
		t.Errorf("without a connection Begin gives %v", err)
	}
	taken.Release()
	b := begin(t, h)
	if err := b.Commit(t.Context(), change(3)); err != nil {
		t.Fatal(err)
	}
	if n := next(t, h); n != 3 {
		t.Errorf("the checkpoint is at %d", n)
	}
}
