//go:build unix

package service_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/postgres"
	"github.com/seed-3eec0498/muster/service"
)

// scribeConfig is what such a process is told. It says "ready" when it is and "at function" when it has come to its point, where it dies or waits
// for a line, and ends with its input.
type scribeConfig struct {
	Group      string
	Partitions int
	Brokers    []string
	Service    string
	Instance   string
	URL        string
	Session    time.Duration
	Hit        int64 // which run of the function is the point, behind its writes; 0: none
	Die        int64 // in which thing that happens on the connections from there on it dies by kill -9; 0: it waits at its point, in all shards
}

// statements is a row for each event and a total for each account, with who wrote it.
func (b *bank) statements(pool *pgxpool.Pool, prefix, by string, behind func()) *postgres.Projection {
	p := postgres.New("statements"+prefix, pool).Prefix("muster_" + prefix)
	projector.On(p, b.credited, func(ctx context.Context, tx pgx.Tx, e credited, m muster.Meta) error {
		if _, err := tx.Exec(ctx, "insert into "+prefix+"statement values ($1, $2, $3, $4, $5)", m.ID, m.AggregateID, int64(m.Revision), e.Amount, by); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "insert into "+prefix+"total as t values ($1, $2, 1) on conflict (account) do update set cents = t.cents + excluded.cents, events = t.events + 1",
			m.AggregateID, e.Amount)
		behind()
		return err
	})
	return p
}

// mortalConn tells of each thing that happens on it.
type mortalConn struct {
	net.Conn
	happens func()
}

func (m *mortalConn) Write(b []byte) (int, error) {
	m.happens()
	n, err := m.Conn.Write(b)
	m.happens()
	return n, err
}

func (m *mortalConn) Read(b []byte) (int, error) {
	n, err := m.Conn.Read(b)
	m.happens()
	return n, err
}

func (c *scribeConfig) work(ctx context.Context, lines <-chan struct{}) error {
	var runs, happened atomic.Int64
	config, err := pgxpool.ParseConfig(c.URL)
	if err != nil {
		return err
	}
	config.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return &mortalConn{Conn: conn, happens: func() {
			if c.Die > 0 && runs.Load() >= c.Hit && happened.Add(1) == c.Die {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		}}, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	defer pool.Close()
	wait := sync.OnceFunc(func() { // who comes while another shard waits does so, too: nothing is committed from the point on
		fmt.Println("at function")
		<-lines
	})
	model := bankOf(c.Group, muster.Partitions(c.Partitions)).statements(pool, "", c.Instance, func() {
		if c.Hit > 0 && runs.Add(1) >= c.Hit && c.Die == 0 {
			wait()
		}
	})
	s, err := service.Open(ctx, service.Config{
		Name: c.Service, Instance: c.Instance, Brokers: c.Brokers, SessionTimeout: c.Session, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}, model)
	if err != nil {
		return err
	}
	go sayReady(ctx, s)
	return s.Run(ctx)
}

func launchScribe(t *testing.T, c scribeConfig) *process {
	t.Helper()
	return spawnAs(t, "MUSTER_TEST_SCRIBE", c.Instance, c)
}
