//go:build unix

package service_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/service"
)

// storyConfig is what a worker of the story is told. It says where it answers, then "ready" when it is, and ends with its input.
type storyConfig struct {
	Group      string
	Partitions int
	Brokers    []string
	Service    string
	Instance   string
	Dir        string
	Session    time.Duration
	Build      string
}

// The builds of the worker, in the order they are deployed.
const (
	buildFaulty = "faulty" // totals@1, which cannot take the poison
	buildFixed  = "fixed"  // totals@1, which can
	buildBoth   = "both"   // totals@2 beside it
)

// storyRow is a row of both versions.
type storyRow struct {
	Sum, Events int64
	Largest     int64 `json:",omitempty"` // since version 2
}

// storyPoison is what the faulty build cannot take.
const storyPoison = 113

// storyTotals gives the definitions that a build has.
func (b *bank) storyTotals(build string) []service.Part {
	define := func(version int, note func(r *storyRow, amount int64)) *projector.View[storyRow] {
		v := projector.NewView[storyRow]("totals", projector.Version(version), projector.RouteBy(projector.ByKey), projector.Switch(projector.SwitchByHand),
			projector.OnFailure(projector.Policy{Tries: 2, First: 5 * time.Millisecond, Then: projector.Park}))
		projector.On(v, b.credited, func(_ context.Context, rows *projector.Rows[storyRow], e credited, m muster.Meta) error {
			if build == buildFaulty && e.Amount == storyPoison {
				return errors.New("an amount of that kind was not thought of")
			}
			if err := rows.Add("events", 1); err != nil {
				return err
			}
			return rows.Update(m.AggregateID, func(r storyRow) storyRow {
				r.Sum, r.Events = r.Sum+e.Amount, r.Events+1
				note(&r, e.Amount)
				return r
			})
		})
		return v
	}
	parts := []service.Part{define(1, func(*storyRow, int64) {})}
	if build == buildBoth {
		parts = append(parts, define(2, func(r *storyRow, amount int64) { r.Largest = max(r.Largest, amount) }))
	}
	return parts
}

func (c *storyConfig) work(ctx context.Context, _ <-chan struct{}) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := "http://" + listener.Addr().String()
	fmt.Println(address)
	s, err := service.Open(ctx, service.Config{
		Name: c.Service, Instance: c.Instance, Brokers: c.Brokers, DataDir: c.Dir, SessionTimeout: c.Session, QueryAddress: address,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo})),
	}, bankOf(c.Group, muster.Partitions(c.Partitions)).storyTotals(c.Build)...)
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- s.ServeListener(ctx, listener) }()
	go sayReady(ctx, s)
	err = s.Run(ctx)
	stop()
	return errors.Join(err, <-served)
}

// storyProcess is a worker of the story in a process of its own.
type storyProcess struct {
	*process
	config  storyConfig
	address string
}

// launchStory starts a worker and waits until it is ready. It has the disk and the name of its lives before.
func launchStory(t *testing.T, c storyConfig) *storyProcess {
	t.Helper()
	p := &storyProcess{process: spawnAs(t, "MUSTER_TEST_STORY", c.Instance+" "+c.Build, c), config: c}
	select {
	case p.address = <-p.said:
	case <-bounded(t).Done():
	}
	if !strings.HasPrefix(p.address, "http://") {
		t.Fatalf("worker %s did not say where it answers, but %q", c.Instance, p.address)
	}
	p.await("ready")
	return p
}
