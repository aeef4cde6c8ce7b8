package sqldb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/pgtest"
	"github.com/seed-3eec0498/muster/mustertest"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/sqldb"
)

type credited struct {
	Amount int `json:"amount"`
}

// bad is the amount at which functions misbehave.
const bad = 13

// start runs a read model of the amounts, one row for each, until the function it gives is called. The journal has the amounts 1, 2, 13, 3 and 4, of
// which 2, 13 and 4 are of one account.
func start(t *testing.T, db *sql.DB, engine sqldb.Engine, misbehave func(ctx context.Context, tx *sqldb.Tx) error) (*projector.Runner, func()) {
	t.Helper()
	g := muster.NewGroup("accounts", muster.Partitions(1))
	event := muster.NewEvent[credited](g, "Credited")
	journal := mustertest.NewMemoryJournal()
	for n, amount := range []int{1, 2, bad, 3, 4} {
		account := "even"
		if n == 0 || n == 3 {
			account = "odd"
		}
		journal.Append(projector.Source{Topic: g.JournalTopic("")}, mustertest.NewEvent(event, account, credited{amount}))
	}
	p := sqldb.New("model", db, engine, projector.OnFailure(projector.Policy{Tries: 2, First: time.Millisecond}))
	projector.On(p, event, func(ctx context.Context, tx *sqldb.Tx, e credited, _ muster.Meta) error {
		if e.Amount == bad && misbehave != nil {
			if err := misbehave(ctx, tx); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, fmt.Sprintf("insert into amounts values (%d)", e.Amount))
		return err
	})
	runner, err := projector.Open(projector.Config{
		Definition: p.Definition(), Target: target(t, p), Journal: journal, RetryFirst: 10 * time.Millisecond, RetryTop: 50 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx) }()
	return runner, func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

// comes waits for a state of the only shard.
func comes(t *testing.T, runner *projector.Runner, state projector.State) projector.Status {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		all := runner.Status()
		if len(all) == 1 && all[0].State == state && (state != projector.Live || all[0].Lag == 0) {
			return all[0]
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("not %s: %+v", state, all)
		}
	}
}

func sees(t *testing.T, db *sql.DB, query, want string) {
	t.Helper()
	var got string
	if err := db.QueryRowContext(t.Context(), query).Scan(&got); err != nil || got != want {
		t.Errorf("%s: %s, %v; want %s", query, got, err, want)
	}
}

// A function's own errors park its event, in both databases.
func TestFunctionAtFault(t *testing.T) {
	for name, c := range map[string]struct {
		misbehave func(ctx context.Context, tx *sqldb.Tx) error
		cause     string
		postgres  bool // where the error matters there alone
	}{
		"a unique violation": {func(ctx context.Context, tx *sqldb.Tx) error {
			_, err := tx.ExecContext(ctx, "insert into amounts values (1)")
			return err
		}, "constraint", false},
		"a commit as a statement": {func(ctx context.Context, tx *sqldb.Tx) error {
			_, err := tx.ExecContext(ctx, "-- now\ncommit")
			return err
		}, "by the toolkit", false},
		"an error that is not returned": {func(ctx context.Context, tx *sqldb.Tx) error {
			var n int
			_ = tx.QueryRowContext(ctx, "select nothing from nowhere").Scan(&n)
			return nil
		}, "transaction is aborted", true},
	} {
		for _, engine := range []string{"SQLite", "PostgreSQL"} {
			if c.postgres && engine == "SQLite" {
				continue // there a statement that fails leaves the transaction as it was
			}
			t.Run(name+"/"+engine, func(t *testing.T) {
				db, kind := openSQLite(t, file(t)), sqldb.SQLite()
				if engine == "PostgreSQL" {
					db, kind = openPostgres(t, pgtest.Database(t)), sqldb.PostgreSQL()
				}
				run(t, db, "create table amounts (amount int unique)")
				runner, stop := start(t, db, kind, c.misbehave)
				comes(t, runner, projector.Live)
				stop()
				sees(t, db, "select sum(amount) from amounts", "6")
				sees(t, db, "select sum(case kind when 'parked' then 1 else 10 end) from muster_letters", "11")
				var cause string
				if err := db.QueryRowContext(t.Context(), "select cause from muster_letters where kind = 'parked'").Scan(&cause); err != nil || !strings.Contains(cause, c.cause) {
					t.Errorf("cause: %q, %v; want %q in it", cause, err, c.cause)
				}
			})
		}
	}
}

// Another program that writes to the file is waited for; no event is charged.
func TestBusyFile(t *testing.T) {
	path := file(t)
	db := openSQLite(t, path)
	run(t, db, "pragma busy_timeout = 1")
	db.SetMaxOpenConns(1) // the pragma is the connection's
	run(t, db, "create table amounts (amount int unique)", "create table other (n int)")
	conn, err := openSQLite(t, path).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(t.Context(), "begin immediate"); err != nil {
		t.Fatal(err)
	}
	runner, stop := start(t, db, sqldb.SQLite(), nil)
	if s := comes(t, runner, projector.Away); !strings.Contains(s.Error, "locked") {
		t.Errorf("it is away because of %s", s.Error)
	}
	if _, err := conn.ExecContext(t.Context(), "commit"); err != nil {
		t.Fatal(err)
	}
	comes(t, runner, projector.Live)
	stop()
	sees(t, db, "select sum(amount) from amounts", "23")
	sees(t, db, "select count(*) from muster_letters", "0")
}

// A rebuild begins with a claim of the next generation: rows and checkpoints of the one before go in one transaction, and who holds it is fenced.
func TestRebuildInPlace(t *testing.T) {
	db := openSQLite(t, file(t))
	run(t, db, "create table amounts (amount int)")
	p := sqldb.New("model", db, sqldb.SQLite())
	first := projector.Shard{Projection: "model@1", Name: "model", Version: 1, Sources: []projector.Source{{Topic: "accounts.events"}}}
	second := first
	second.Generation = 1
	h, err := target(t, p).Claim(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	write := func(h projector.Holding) error {
		b, err := h.Begin(t.Context())
		if err != nil {
			return err
		}
		defer b.Rollback()
		if _, err := b.Tx().(*sqldb.Tx).ExecContext(t.Context(), "insert into amounts values (1)"); err != nil {
			return err
		}
		return b.Commit(t.Context(), projector.Change{Checkpoints: []projector.Checkpoint{{Source: first.Sources[0], Next: 1}}})
	}
	if err := write(h); err != nil {
		t.Fatal(err)
	}
	if _, err := target(t, p).Claim(t.Context(), second); err == nil || !strings.Contains(err.Error(), "OnReset") {
		t.Errorf("a rebuild without OnReset: %v", err)
	}
	if err := write(h); err != nil {
		t.Errorf("what could not begin has fenced the one before: %v", err)
	}
	var whole bool
	p.OnReset(func(ctx context.Context, tx *sqldb.Tx, s projector.Shard) error {
		whole = s.Number == projector.Whole
		_, err := tx.ExecContext(ctx, "delete from amounts")
		return err
	})
	next, err := target(t, p).Claim(t.Context(), second)
	if err != nil || !whole {
		t.Fatalf("the claim gives %v, whole %v", err, whole)
	}
	sees(t, db, "select count(*) from amounts", "0")
	if stored, err := next.Stored(t.Context()); err != nil || len(stored.Checkpoints) != 0 {
		t.Errorf("stored: %+v, %v", stored, err)
	}
	if err := write(h); !errors.Is(err, projector.ErrFenced) {
		t.Errorf("the generation before writes: %v", err)
	}
	if err := write(next); err != nil {
		t.Error(err)
	}
	if _, err := target(t, p).Claim(t.Context(), first); err == nil {
		t.Error("the generation before was claimed")
	}
	if err := target(t, p).Drop(t.Context(), first); err != nil {
		t.Error(err)
	}
	sees(t, db, "select count(*) from amounts", "1")
	if err := target(t, p).Drop(t.Context(), second); err != nil {
		t.Error(err)
	}
	sees(t, db, "select count(*) from amounts", "0")
}
