package service

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/projector"
)

// NewClock lets tests read a clock of their own through the service's.
func NewClock(read func() time.Time) func() time.Time { return newClock(read).Now }

// SetClock replaces what the service's clock reads, before Run.
func (s *Service) SetClock(read func() time.Time) {
	s.clock.mu.Lock()
	defer s.clock.mu.Unlock()
	now := read()
	s.clock.read, s.clock.base, s.clock.last = read, now, now.Round(0)
}

// Workers lets tests drive the watchdog without a lane.
type Workers struct{ w *workers }

// NewWorkers makes workers.
func NewWorkers(size int, deadline time.Duration) *Workers {
	return &Workers{newWorkers(size, deadline, new(atomic.Int64))}
}

// Run runs units.
func (w *Workers) Run(ctx context.Context, units []*muster.Unit) { w.w.run(ctx, units) }

// SetBeat has fn called at each look of the watch, before Run.
func (w *Workers) SetBeat(fn func()) { w.w.beat = fn }

// Running is how many units are running, given up ones among them.
func (w *Workers) Running() int64 { return w.w.running.Load() }

// Wait returns when the last handler that was given up has returned.
func (w *Workers) Wait() { w.w.all.Wait() }

// SetTrimPiece makes Trim remove so many events at a time, before Run.
func (s *Service) SetTrimPiece(n int) {
	for _, o := range s.owners {
		o.snapshots.piece = n
	}
}

// OutwardConfig lets tests open the target of effects and publishers without a service.
type OutwardConfig = outwardConfig

// Outward is that target.
type Outward = outward

// OpenOutward opens it.
func OpenOutward(ctx context.Context, cfg OutwardConfig, d *projector.Definition) (*Outward, error) {
	return openOutward(ctx, cfg, d)
}

// NewControl gives the control table of a service over the topic of a table.
func NewControl(t *consumer.Table) projector.Control { return control{t} }

// LocalQueries reads what this instance may serve: what other instances and [Service.Views] get of it.
func (s *Service) LocalQueries() projector.Reader { return s.queries.local }

// Awaiting is the wait for a position wherever its shard is, with everything around it given.
type Awaiting struct {
	Here    func(ctx context.Context) error
	Holder  func(ctx context.Context, shard int32) (projector.Instance, bool)
	There   func(ctx context.Context) error
	Changes func() <-chan struct{}
	Closed  <-chan struct{}
}

// Run waits, on the instance "self".
func (a Awaiting) Run(ctx context.Context) error {
	return (&awaiting{here: a.Here, holder: a.Holder, there: a.There, changes: a.Changes, closed: a.Closed, self: "self"}).run(ctx)
}

// Anew drops the rows of a partition and has it read again, as is done with rows that cannot be trusted, and returns when that has begun.
func (s *Service) Anew(g *muster.Group, partition int32) {
	o := s.ownerOf(g)
	again := &suspension{partitions: []int32{partition}, why: "state", reset: true}
	o.hold(again)
	o.suspend(again)
}
