//go:build unix

package service_test

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/service"
)

// viewerConfig is what such a process is told. It says "ready" when it is, and ends with its input.
type viewerConfig struct {
	Group      string
	Partitions int
	Brokers    []string
	Service    string
	Instance   string
	Dir        string
	Session    time.Duration
	Standbys   int
}

func (c *viewerConfig) work(ctx context.Context, _ <-chan struct{}) error {
	s, err := service.Open(ctx, service.Config{
		Name: c.Service, Instance: c.Instance, Brokers: c.Brokers, DataDir: c.Dir, SessionTimeout: c.Session,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}, bankOf(c.Group, muster.Partitions(c.Partitions)).totals(projector.Standbys(c.Standbys)))
	if err != nil {
		return err
	}
	go sayReady(ctx, s)
	return s.Run(ctx)
}

// view starts such a process and waits until it is ready.
func view(t *testing.T, c viewerConfig) *process {
	t.Helper()
	p := spawnAs(t, "MUSTER_TEST_VIEWER", c.Instance, c)
	p.await("ready")
	return p
}
