package postgres_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/mustertest"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/postgres"
)

// credited is the event of these tests.
type credited struct {
	Amount int `json:"amount"`
}

// bank is a contract with a journal of n commands of two events, the same in every process.
type bank struct {
	group    *muster.Group
	credited *muster.EventType[credited]
	journal  *mustertest.MemoryJournal
}

func newBank(partitions, commands int) *bank {
	g := muster.NewGroup("accounts", muster.Partitions(partitions))
	b := &bank{group: g, credited: muster.NewEvent[credited](g, "Credited"), journal: mustertest.NewMemoryJournal()}
	for n := range commands {
		b.append(int32(n%partitions), fmt.Sprint("acc-", n%7), n, -n/2)
	}
	return b
}

func (b *bank) append(partition int32, account string, amounts ...int) {
	var all []muster.Event
	for _, amount := range amounts {
		ev := mustertest.NewEvent(b.credited, account, credited{amount})
		ev.Time = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		all = append(all, ev)
	}
	b.journal.Append(projector.Source{Topic: b.group.JournalTopic(""), Partition: partition}, all...)
}

// tables are those of a read model: one row per event, and a total per account that only an exact application of all events gives.
func tables(prefix string) string {
	return strings.ReplaceAll(`create table {}statement (event text primary key, account text, revision bigint, amount int);
		create table {}totals (account text primary key, total bigint, events int)`, "{}", prefix)
}

// model is the read model, with a function before each event's writes.
func (b *bank) model(pool *pgxpool.Pool, prefix string, before func(ctx context.Context, tx pgx.Tx, e credited) error, opts ...projector.Option) *postgres.Projection {
	p := postgres.New("model"+prefix, pool, opts...).Prefix("muster_" + prefix)
	row := "insert into " + prefix + "statement values ($1, $2, $3, $4)"
	sum := "insert into " + prefix + "totals as t values ($1, $2, 1) on conflict (account) do update set total = t.total + excluded.total, events = t.events + 1"
	projector.On(p, b.credited, func(ctx context.Context, tx pgx.Tx, e credited, m muster.Meta) error {
		if before != nil {
			if err := before(ctx, tx, e); err != nil {
				return err
			}
		}
		if err := postgres.Queue(ctx, tx, row, m.ID, m.AggregateID, int64(m.Revision), e.Amount); err != nil {
			return err
		}
		if m.Revision%5 == 0 {
			_, err := tx.Exec(ctx, sum, m.AggregateID, e.Amount)
			return err
		}
		return postgres.Queue(ctx, tx, sum, m.AggregateID, e.Amount)
	})
	return p
}

// runner makes one that holds all shards.
func (b *bank) runner(ctx context.Context, p *postgres.Projection, change ...func(*projector.Config)) (*projector.Runner, error) {
	target, err := p.Target(ctx, projector.Host{})
	if err != nil {
		return nil, err
	}
	c := projector.Config{
		Definition: p.Definition(), Target: target, Journal: b.journal, RetryFirst: 10 * time.Millisecond, RetryTop: 100 * time.Millisecond,
	}
	for _, change := range change {
		change(&c)
	}
	return projector.Open(c)
}

// start runs the model until the test ends or the function it gives is called.
func (b *bank) start(t *testing.T, p *postgres.Projection, change ...func(*projector.Config)) (*projector.Runner, func()) {
	t.Helper()
	runner, err := b.runner(t.Context(), p, change...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return runner, stop
}

// caughtUp tells whether every shard has applied all there is.
func caughtUp(runner *projector.Runner) bool {
	all := runner.Status()
	for _, s := range all {
		if s.State != projector.Live || s.Lag != 0 {
			return false
		}
	}
	return len(all) > 0
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	const limit = 2 * time.Minute // machines under load are slow, and nobody waits so long otherwise
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("after %v: not %s", limit, what)
		}
	}
}

// dump gives all rows of a read model.
func dump(t testing.TB, pool *pgxpool.Pool, prefix string) string {
	t.Helper()
	var all string
	if err := pool.QueryRow(t.Context(), strings.ReplaceAll(`select
		(select string_agg(concat_ws(' ', event, account, revision, amount), E'\n' order by event) from {}statement) || E'\n' ||
		(select string_agg(concat_ws(' ', account, total, events), E'\n' order by account) from {}totals)`, "{}", prefix)).Scan(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

// rebuilt gives the rows that a rebuild from zero makes, without any fault.
func (b *bank) rebuilt(t *testing.T, pool *pgxpool.Pool) string {
	t.Helper()
	run(t, pool, tables("fresh_"))
	runner, stop := b.start(t, b.model(pool, "fresh_", nil))
	eventually(t, "rebuilt", func() bool { return caughtUp(runner) })
	stop()
	return dump(t, pool, "fresh_")
}

// waitUntil is eventually for a child, whose parent has the deadline.
func waitUntil(condition func() bool) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		<-tick.C
	}
}
