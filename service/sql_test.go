//go:build unix

package service_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/internal/pgtest"
	"github.com/seed-3eec0498/muster/service"
)

// books is a bank, and the tables that its scribes keep.
type books struct {
	t     *testing.T
	b     *bank
	owner *running
	pool  *pgxpool.Pool
	serve scribeConfig // of all scribes

	mu   sync.Mutex // guards sent
	sent int
}

const bookPartitions = 4

func newBooks(t *testing.T) *books {
	brokers := anyBrokers(t)
	s := &books{t: t, b: newBank(t, muster.Partitions(bookPartitions))}
	s.owner = start(t, service.Config{Name: kafkatest.UniqueName(t, "bank"), Brokers: brokers, DataDir: t.TempDir()}, s.b.owner(nil))
	url := pgtest.Own(t).URL("postgres")
	var err error
	if s.pool, err = pgxpool.New(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.pool.Close)
	s.serve = scribeConfig{
		Group: s.b.group.Name(), Partitions: bookPartitions, Brokers: brokers, Service: s.b.group.Name() + "-books", URL: url, Session: session,
	}
	s.make("")
	return s
}

func (s *books) make(prefix string) {
	s.t.Helper()
	for _, sql := range []string{
		"create table {}statement (event text primary key, account text, revision bigint, amount bigint, by text)",
		"create table {}total (account text primary key, cents bigint, events int)",
	} {
		if _, err := s.pool.Exec(s.t.Context(), strings.ReplaceAll(sql, "{}", prefix)); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *books) scribe(instance string, hit, die int64) *process {
	s.t.Helper()
	c := s.serve
	c.Instance, c.Hit, c.Die = instance, hit, die
	p := launchScribe(s.t, c)
	if die == 0 { // who is to die may do so before
		p.await("ready")
	}
	return p
}

// deposits makes some until done holds, on all partitions.
func (s *books) deposits(done func() bool) {
	s.t.Helper()
	for n := 0; n < 8 || !done(); n++ {
		ctx, cancel := context.WithTimeout(s.t.Context(), patience)
		_, err := s.b.deposit.Call(ctx, s.owner.Client(), fmt.Sprintf("acc-%d", n%8), deposit{Amount: int64(n)})
		cancel()
		if err != nil {
			s.t.Fatal(err)
		}
		s.mu.Lock()
		s.sent++
		s.mu.Unlock()
	}
}

func (s *books) count(sql string, args ...any) (n int) {
	s.t.Helper()
	if err := s.pool.QueryRow(s.t.Context(), sql, args...).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// applied waits until all that was deposited is in the tables with a prefix.
func (s *books) applied(prefix string) {
	s.t.Helper()
	eventually(s.t, "everything is in the tables", func() bool { return s.count("select count(*) from "+prefix+"statement") >= s.sent })
}

func (s *books) dump(prefix string) (all string) {
	s.t.Helper()
	if err := s.pool.QueryRow(s.t.Context(), strings.ReplaceAll(`select
		(select string_agg(concat_ws(' ', event, account, revision, amount), E'\n' order by event) from {}statement) || E'\n' ||
		(select string_agg(concat_ws(' ', account, cents, events), E'\n' order by account) from {}total)`, "{}", prefix)).Scan(&all); err != nil {
		s.t.Fatal(err)
	}
	return all
}

// Two instances of a service keep tables in PostgreSQL. One dies by kill -9 behind the function's writes, with its commit not sent, sent and answered, and
// comes back. Then it is frozen behind its writes until the other one has its shards, and goes on: what it wrote there is not committed. The tables are
// those of a rebuild from zero.
func TestStatementsInPostgres(t *testing.T) {
	s := newBooks(t)
	other := s.scribe("steady", 0, 0)
	for die := int64(1); die <= 3; die++ { // the commit is not sent, is sent, is answered
		mortal := s.scribe("mortal", 2, die)
		gone := func() bool {
			select {
			case <-mortal.done:
				return true
			default:
				return false
			}
		}
		go func() { // its end shows when what it says is read
			for range mortal.said {
			}
		}()
		s.deposits(gone)
		if status := mortal.cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGKILL {
			t.Fatalf("the one that was to die at %d ended with %v", die, mortal.err)
		}
	}

	s.applied("")
	frozen := s.scribe("frozen", 1, 0)
	stands := make(chan struct{})
	go func() {
		defer close(stands)
		for line := range frozen.said {
			if line == "at function" {
				return
			}
		}
	}()
	s.deposits(func() bool {
		select {
		case <-stands:
			return true
		default:
			return false
		}
	})
	frozen.signal(syscall.SIGSTOP)
	s.applied("") // which takes that the other one has its shards
	if n := s.count("select count(*) from statement where by = 'frozen'"); n > 0 {
		t.Errorf("%d rows of the one that was frozen before its first commit", n)
	}
	frozen.signal(syscall.SIGCONT)
	frozen.proceed()
	s.deposits(func() bool { return s.count("select count(*) from statement where by = 'frozen'") > 0 }) // it has shards again, and works
	s.applied("")
	frozen.end()
	other.end()

	s.make("fresh_")
	start(t, service.Config{Name: s.serve.Service + "-fresh", Brokers: s.serve.Brokers}, s.b.statements(s.pool, "fresh_", "fresh", func() {}))
	s.applied("fresh_")
	if got, want := s.dump(""), s.dump("fresh_"); got != want {
		t.Errorf("after the kills:\n%s\nrebuilt:\n%s", got, want)
	}
	if n := s.count("select count(*) from statement"); n != s.sent {
		t.Errorf("%d rows of %d deposits", n, s.sent)
	}
	if n := s.count("select count(*) from muster_letters"); n > 0 {
		t.Errorf("%d events were charged", n)
	}
}
