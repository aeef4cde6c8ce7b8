//go:build unix

package postgres_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed-3eec0498/muster/internal/pgtest"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/postgres"
)

// A process is killed at one point after the other of its traffic with the database, and the next one goes on from there: begin, each statement, the
// commit, its answer. The rows are those of a rebuild from zero.
func TestKilledAtEveryPoint(t *testing.T) {
	url := pgtest.Database(t)
	pool := open(t, url)
	run(t, pool, tables(""))
	killed, step := 0, 1
	if testing.Short() {
		step = 9
	}
	for n := 4; ; n += step {
		err := process(t, url, "die "+strconv.Itoa(n)).Run()
		if err == nil {
			break // it came to the end of the journal
		}
		if exit, is := errors.AsType[*exec.ExitError](err); !is || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("the child that was to die at %d: %v", n, err)
		}
		killed++
	}
	t.Logf("%d processes were killed", killed)
	if killed < 5 {
		t.Errorf("only %d processes were killed", killed)
	}
	b := newBank(2, commands)
	if got, want := dump(t, pool, ""), b.rebuilt(t, pool); got != want {
		t.Errorf("after the kills:\n%s\nrebuilt:\n%s", got, want)
	}
	if n := count(t, pool, "select count(*) from muster_letters"); n != 0 {
		t.Errorf("%d events were charged", n)
	}
}

// A server is killed and comes back, again and again, while it is written to.
func TestKilledServer(t *testing.T) {
	server := pgtest.Own(t)
	pool := open(t, server.URL("postgres"))
	run(t, pool, tables(""))
	b := newBank(2, 1000)
	p := b.model(pool, "", nil, projector.BatchEvents(10))
	runner, stop := b.start(t, p)
	for n := range 4 {
		eventually(t, "some rows", func() bool {
			var rows int
			err := pool.QueryRow(t.Context(), "select count(*) from statement").Scan(&rows)
			return err == nil && rows >= n*300+1
		})
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		for partition := range int32(2) {
			b.append(partition, "late", n) // so that there is something to do, however fast it was
		}
		if n%2 == 1 { // the last time too: then what is late is known when it is waited for
			eventually(t, "away", func() bool {
				for _, s := range runner.Status() {
					if s.State == projector.Away {
						return true
					}
				}
				return false
			})
		}
		if err := server.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "caught up", func() bool { return caughtUp(runner) })
	stop()
	if got, want := dump(t, pool, ""), b.rebuilt(t, pool); got != want {
		t.Errorf("after the kills:\n%s\nrebuilt:\n%s", got, want)
	}
	if n := count(t, pool, "select count(*) from muster_letters"); n != 0 {
		t.Errorf("%d events were charged", n)
	}
}

// A writer that was stopped, and wakes when another one has taken over, changes nothing, and does not hold the other one up while it sleeps with
// locks on the very row that is written next.
func TestZombie(t *testing.T) {
	for when, want := range map[string]string{"idle": "fenced", "working": "lost"} {
		t.Run(when, func(t *testing.T) {
			url := pgtest.Database(t)
			pool := open(t, url)
			run(t, pool, "create table rows (by text)", "insert into rows values ('nobody')")
			sleeper := process(t, url, "zombie "+when)
			in, err1 := sleeper.StdinPipe()
			out, err2 := sleeper.StdoutPipe()
			if err := errors.Join(err1, err2, sleeper.Start()); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				_ = sleeper.Process.Kill()
				_ = sleeper.Wait()
			})
			lines := bufio.NewScanner(out)
			if !lines.Scan() || lines.Text() != "ready" {
				t.Fatalf("the child says %q", lines.Text())
			}
			if err := sleeper.Process.Signal(syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			h := claim(t, target(t, postgres.New("model", pool)), shard("model"))
			b := begin(t, h)
			b.Before(&projector.Running{ID: "mine"})
			soon, cancel := context.WithTimeout(t.Context(), time.Minute) // the idle limit would let it go on after two minutes
			defer cancel()
			if _, err := b.Tx().(pgx.Tx).Exec(soon, "update rows set by = 'heir'"); err != nil {
				t.Fatal(err)
			}
			if err := b.Commit(t.Context(), change(3)); err != nil {
				t.Fatal(err)
			}
			if err := sleeper.Process.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(in, "go on\n"); err != nil {
				t.Fatal(err)
			}
			if !lines.Scan() || lines.Text() != want {
				t.Errorf("the zombie says %q, want %q", lines.Text(), want)
			}
			if n := count(t, pool, "select count(*) from rows where by = 'heir'"); n != 1 {
				t.Error("the zombie's row is there")
			}
			if n := next(t, h); n != 3 {
				t.Errorf("the checkpoint is at %d", n)
			}
		})
	}
}

// Five processes that start at the same time make the tables once, and take the shard one after another.
func TestTablesAreMadeOnce(t *testing.T) {
	url := pgtest.Database(t)
	results := make(chan error)
	for range 5 {
		command := process(t, url, "claim")
		go func() {
			said, err := command.Output()
			if err != nil {
				err = errors.Join(err, errors.New(string(said)))
			}
			results <- err
		}()
	}
	for range 5 {
		if err := <-results; err != nil {
			t.Errorf("a child: %v", err)
		}
	}
	pool := open(t, url)
	if n := count(t, pool, "select count(*) from muster_schema"); n != 1 {
		t.Errorf("%d formats are noted", n)
	}
	if n := count(t, pool, "select count(*) from muster_shards"); n != 1 {
		t.Errorf("there are %d shards", n)
	}
	run(t, pool, "insert into muster_schema values (99)")
	if _, err := target(t, postgres.New("model", pool)).Claim(context.WithoutCancel(t.Context()), shard("model")); !errors.Is(err, projector.ErrUnfit) {
		t.Errorf("tables of a newer build: %v", err)
	}
}
