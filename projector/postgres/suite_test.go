package postgres_test

import (
	"bytes"
	"context"
	"net"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-3eec0498/muster/internal/pgtest"
	"github.com/seed-3eec0498/muster/mustertest"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/postgres"
)

// The port's promises hold for statements that are executed at once and for those that are queued.
func TestTarget(t *testing.T) {
	for name, write := range map[string]func(ctx context.Context, tx pgx.Tx, sql string, args ...any) error{
		"exec": func(ctx context.Context, tx pgx.Tx, sql string, args ...any) error {
			_, err := tx.Exec(ctx, sql, args...)
			return err
		},
		"queue": postgres.Queue,
	} {
		t.Run(name, func(t *testing.T) {
			mustertest.Target(t, func(t *testing.T) mustertest.TargetFixture { return fixture(t, write) })
		})
	}
}

func fixture(t *testing.T, write func(ctx context.Context, tx pgx.Tx, sql string, args ...any) error) mustertest.TargetFixture {
	url := pgtest.Database(t)
	reader := open(t, url)
	run(t, reader, "create table pairs (projection text, generation int, shard int, key text, value text, primary key (projection, generation, shard, key))")
	cuts := &cutter{}
	first := cuts.pool(t, url)
	instance := func(pool *pgxpool.Pool) projector.Target {
		p := postgres.New("totals", pool).SideBySide().OnReset(func(ctx context.Context, tx pgx.Tx, s projector.Shard) error {
			_, err := tx.Exec(ctx, "delete from pairs where projection = $1 and generation = $2 and shard = $3", s.Projection, s.Generation, s.Number)
			return err
		})
		return target(t, p)
	}
	return mustertest.TargetFixture{
		Target: instance(first),
		Put: func(tx any, s projector.Shard, key, value string) error {
			return write(t.Context(), postgres.New("totals", nil).Hand(tx), `insert into pairs values ($1, $2, $3, $4, $5)
				on conflict (projection, generation, shard, key) do update set value = excluded.value`, s.Projection, s.Generation, s.Number, key, value)
		},
		Rows: func(s projector.Shard) map[string]string {
			rows, err := reader.Query(t.Context(), "select key, value from pairs where projection = $1 and generation = $2 and shard = $3", s.Projection, s.Generation, s.Number)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			var key, value string
			if _, err := pgx.ForEachRow(rows, []any{&key, &value}, func() error { got[key] = value; return nil }); err != nil {
				t.Fatal(err)
			}
			return got
		},
		Beside: func() projector.Target { return instance(open(t, url)) },
		Crash: func() projector.Target {
			cuts.all()
			return instance(open(t, url))
		},
		Break: func() { cuts.next.Store(cutRequest) },
		Doubt: func() { cuts.next.Store(cutAnswer) },
	}
}

// cutter cuts the connections of a pool at a chosen moment.
type cutter struct {
	next   atomic.Int32 // what is lost next
	conns  chan net.Conn
	killed bool // used by the test's goroutine
}

const (
	cutRequest = 1 // what is written next does not arrive
	cutAnswer  = 2 // the answer to the next commit does not
)

func (c *cutter) pool(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	c.conns = make(chan net.Conn, 100)
	config.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		c.conns <- conn
		return &cuttable{Conn: conn, cutter: c}, nil
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !c.killed { // a pool whose connections were not given back would be waited for
			pool.Close()
		}
	})
	return pool
}

// all cuts every connection there is, as the end of the process would.
func (c *cutter) all() {
	c.killed = true
	for len(c.conns) > 0 {
		_ = (<-c.conns).Close()
	}
}

type cuttable struct {
	net.Conn
	cutter *cutter
}

func (c *cuttable) Write(b []byte) (int, error) {
	if c.cutter.next.CompareAndSwap(cutRequest, 0) {
		_ = c.Close()
	}
	return c.Conn.Write(b)
}

func (c *cuttable) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if bytes.Contains(b[:n], []byte("COMMIT\x00")) && c.cutter.next.CompareAndSwap(cutAnswer, 0) {
		_ = c.Close()
		return 0, net.ErrClosed
	}
	return n, err
}
