package postgres_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/pgtest"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/postgres"
)

// faultsOf runs a model and hears of its faults.
func (b *bank) faultsOf(t *testing.T, p *postgres.Projection, hear func(projector.Fault)) *projector.Runner {
	t.Helper()
	runner, _ := b.start(t, p, func(c *projector.Config) { c.Observe.Fault = hear })
	return runner
}

// awaitAway waits until a shard says that the database is at fault, and wants words in what it says.
func awaitAway(t *testing.T, runner *projector.Runner, words ...string) {
	t.Helper()
	said := ""
	eventually(t, "away, with "+strings.Join(words, ", "), func() bool {
		for _, s := range runner.Status() {
			if said = s.Error; s.State != projector.Away || s.Reason != projector.ReasonStore {
				continue
			}
			all := true
			for _, word := range words {
				all = all && strings.Contains(said, word)
			}
			if all {
				return true
			}
		}
		return false
	})
}

// uncharged wants no event put aside.
func (b *bank) uncharged(t *testing.T, runner *projector.Runner) {
	t.Helper()
	for _, s := range runner.Status() {
		if len(s.Letters) > 0 || s.Parked > 0 {
			t.Errorf("shard %d has put aside %v", s.Shard, s.Letters)
		}
	}
}

// Two partitions write the same two rows in opposite order, so that each waits for the other one. PostgreSQL ends one of them; its batch is done again,
// and no event is charged with it.
func TestDeadlock(t *testing.T) {
	url := pgtest.Database(t)
	pool := open(t, url)
	run(t, pool, "alter database "+pool.Config().ConnConfig.Database+" set deadlock_timeout = '50ms'",
		"create table shared (id text primary key, n int)", "insert into shared values ('left', 0), ('right', 0)")
	pool.Reset() // for connections that know of it
	b := newBank(2, 0)
	p := postgres.New("shared", pool)
	first := []string{"left", "right"} // by partition
	var arrived atomic.Int32
	both := make(chan struct{})
	projector.On(p, b.credited, func(ctx context.Context, tx pgx.Tx, _ credited, m muster.Meta) error {
		for turn := range 2 {
			if _, err := tx.Exec(ctx, "update shared set n = n + 1 where id = $1", first[(int(m.Partition)+turn)%2]); err != nil {
				return err
			}
			if turn == 1 {
				break
			}
			if arrived.Add(1) == 2 {
				close(both)
			}
			select {
			case <-both: // also when it is done again
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	b.append(0, "a", 1)
	b.append(1, "b", 1)
	var deadlocks atomic.Int32
	runner := b.faultsOf(t, p, func(f projector.Fault) {
		if strings.Contains(f.Err.Error(), "deadlock detected") {
			deadlocks.Add(1)
		}
	})
	eventually(t, "caught up", func() bool { return caughtUp(runner) })
	if n := deadlocks.Load(); n != 1 {
		t.Errorf("%d deadlocks, want 1", n)
	}
	if n := count(t, pool, "select count(*) from shared where n = 2"); n != 2 {
		t.Errorf("%d of 2 rows were written by both", n)
	}
	b.uncharged(t, runner)
}

// A server that takes no writes is waited for, and the state says why: it is told so, or it is a standby until it is promoted.
func TestReadOnlyServer(t *testing.T) {
	server := pgtest.Own(t)
	pool := open(t, server.URL("postgres"))
	run(t, pool, tables(""))
	b := newBank(2, 2)
	runner, _ := b.start(t, b.model(pool, "", nil))
	eventually(t, "caught up", func() bool { return caughtUp(runner) })

	run(t, pool, "alter database postgres set default_transaction_read_only = on")
	pool.Reset() // as connections end after a while
	b.append(0, "a", 1)
	awaitAway(t, runner, "read-only transaction", "default_transaction_read_only", "target_session_attrs=read-write")
	run(t, pool, "begin read write; alter database postgres reset default_transaction_read_only; commit")
	pool.Reset()
	eventually(t, "caught up", func() bool { return caughtUp(runner) })

	if err := server.Demote(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.append(1, "b", 2)
	awaitAway(t, runner, "read-only transaction", "standby")
	if err := server.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "caught up", func() bool { return caughtUp(runner) })
	if got, want := dump(t, pool, ""), b.rebuilt(t, pool); got != want {
		t.Errorf("after it was read-only:\n%s\nrebuilt:\n%s", got, want)
	}
	b.uncharged(t, runner)
}

// A server whose disk is full is waited for, and the state says so.
func TestFullServer(t *testing.T) {
	server := pgtest.Own(t)
	pool := open(t, server.URL("postgres"))
	run(t, pool, tables(""))
	if err := server.Fill(t.Context(), "statement"); errors.Is(err, pgtest.ErrMissing) {
		t.Skipf("a full disk cannot be had here: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	pool.Reset()
	b := newBank(2, 2)
	runner, _ := b.start(t, b.model(pool, "", nil))
	awaitAway(t, runner, "No space left on device", "SQLSTATE 53100", "out of room")
	if err := server.Free(t.Context(), "statement"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "caught up", func() bool { return caughtUp(runner) })
	if got, want := dump(t, pool, ""), b.rebuilt(t, pool); got != want {
		t.Errorf("after there was room again:\n%s\nrebuilt:\n%s", got, want)
	}
	b.uncharged(t, runner)
}

// A server that takes its time, here because somebody else has the table locked, is waited for however long it takes: no event is charged for it.
func TestSlowServer(t *testing.T) {
	pool := open(t, pgtest.Database(t))
	run(t, pool, tables(""))
	other, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Rollback(context.WithoutCancel(t.Context())) //nolint:errcheck // the test says when it ends
	if _, err := other.Exec(t.Context(), "lock table statement in exclusive mode"); err != nil {
		t.Fatal(err)
	}
	b := newBank(2, 20)
	runner, _ := b.start(t, b.model(pool, "", nil))
	eventually(t, "the projection waits for the table", func() bool {
		return count(t, pool, "select count(*) from pg_locks where relation = 'statement'::regclass and not granted") > 0
	})
	if n := count(t, pool, "select count(*) from statement"); n != 0 || caughtUp(runner) {
		t.Errorf("%d rows are there, and the table is locked", n)
	}
	if err := other.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "caught up", func() bool { return caughtUp(runner) })
	if got, want := dump(t, pool, ""), b.rebuilt(t, pool); got != want {
		t.Errorf("after the wait:\n%s\nrebuilt:\n%s", got, want)
	}
	b.uncharged(t, runner)
}
