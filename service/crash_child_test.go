//go:build unix

package service_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster/service"
)

// childConfig is what an owner process is told.
type childConfig struct {
	Group              string
	Partitions         int
	Brokers            []string
	Dir, Instance      string
	Point              string // of the engine; empty: none
	Hit                int64  // at which time it is passed
	TransactionTimeout time.Duration
	Slots              int
	Desk               bool // it owns a desk, which has a stateless handler, instead of ledgers
	Closed             bool // its ledgers are
	Recovery           service.Recovery
	Session            time.Duration // zero: the shortest
	Trim               bool          // its clock is an hour ahead, and once it serves it trims, a few events at a time, until that is done
}

// work is an owner's.
func (c *childConfig) work(ctx context.Context, lines <-chan struct{}) error {
	var hits atomic.Int64
	cfg := service.Config{
		Name: c.Group + "-owner", Instance: c.Instance, Brokers: c.Brokers, DataDir: c.Dir, SessionTimeout: max(session, c.Session), ReplyPartitions: 1,
		TransactionTimeout: c.TransactionTimeout, Slots: c.Slots, Recovery: c.Recovery, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Failpoint: func(name string) {
			if name == c.Point && hits.Add(1) == c.Hit {
				fmt.Println("at", name)
				<-lines
			}
		},
	}
	if c.Trim {
		cfg.DedupWindow = time.Minute
	}
	l := ledgersIn(c.Group, c.Partitions)
	l.closed = c.Closed
	var part service.Part = l.owner()
	if c.Desk {
		part = desksIn(c.Group, c.Partitions).clerk()
	}
	s, err := service.Open(ctx, cfg, part)
	if err != nil {
		return err
	}
	if c.Trim {
		s.SetClock(func() time.Time { return time.Now().Add(time.Hour) })
		s.SetTrimPiece(trimPieces)
	}
	go func() {
		sayReady(ctx, s)
		if c.Trim {
			trimAll(ctx, s, l.group)
		}
	}()
	return s.Run(ctx)
}

// launch starts an owner process.
func launch(t *testing.T, c childConfig) *process {
	t.Helper()
	return spawnAs(t, "MUSTER_TEST_CHILD", c.Instance, c)
}
