package main

import (
	"context"
	"fmt"
	"sync/atomic"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// viewMemory is what reading, sharing and applying cost where rows cost next to nothing: a function that counts in a map.
func viewMemory(ctx context.Context, c *cluster, s sizes) (pass, error) {
	at, drop, err := c.stage(ctx, "view-memory")
	if err != nil {
		return pass{}, err
	}
	defer drop()
	if err := c.history(ctx, at, s.events, s.payload, keys(c.cfg.seed, s.keys)); err != nil {
		return pass{}, fmt.Errorf("journal: %w", err)
	}
	p := pass{Detail: map[string]float64{}}
	view, spent := newMemoryView(at), c.meter()
	took, err := c.projected(ctx, at, s.events, view, nil)
	if err != nil {
		return pass{}, err
	}
	if kept := view.kept.Load(); kept != int64(s.events) {
		return pass{}, fmt.Errorf("%d events lie in the journal, %d were committed", s.events, kept)
	}
	p.Value = rate(s.events, took)
	spent.per(c, p.Detail, "", "event", float64(s.events))
	if !c.cfg.raw {
		return p, nil
	}
	spent = c.meter()
	p.Raw, err = c.fetchRaw(ctx, at, s.events)
	spent.per(c, p.Detail, "raw_", "event", float64(s.events))
	return p, err
}

// definition is embedded under a name that leaves its method Definition visible.
type definition = projector.Definition

// memoryView is a projection whose rows are maps, one per shard, and whose checkpoints are kept nowhere.
type memoryView struct {
	*definition
	kept atomic.Int64 // events committed
}

func newMemoryView(at *stage) *memoryView {
	v := &memoryView{definition: projector.NewDefinition(projectionName)}
	projector.On(v, at.recorded, func(_ context.Context, to *memoryShard, _ *wrapperspb.BytesValue, m muster.Meta) error {
		to.rows[m.AggregateID]++
		to.events++
		return nil
	})
	return v
}

// Hand implements projector.Into.
func (v *memoryView) Hand(tx any) *memoryShard { return tx.(*memoryShard) }

// Target implements projector.Targeted.
func (v *memoryView) Target(context.Context, projector.Host) (projector.Target, error) {
	return memoryTarget{v}, nil
}

type memoryTarget struct{ view *memoryView }

// Claim implements projector.Target.
func (t memoryTarget) Claim(context.Context, projector.Shard) (projector.Holding, error) {
	return &memoryShard{view: t.view, rows: map[string]int{}}, nil
}

// Drop implements projector.Target.
func (t memoryTarget) Drop(context.Context, projector.Shard) error { return nil }

// memoryShard is a holding, and each of its batches.
type memoryShard struct {
	view   *memoryView
	rows   map[string]int
	events int64 // of the batch in hand
}

var (
	_ projector.Holding = (*memoryShard)(nil)
	_ projector.Batch   = (*memoryShard)(nil)
)

// Stored implements projector.Holding.
func (h *memoryShard) Stored(context.Context) (projector.Stored, error) {
	return projector.Stored{}, nil
}

// Begin implements projector.Holding.
func (h *memoryShard) Begin(context.Context) (projector.Batch, error) { return h, nil }

// Release implements projector.Holding.
func (h *memoryShard) Release() {}

// Tx implements projector.Batch.
func (h *memoryShard) Tx() any { return h }

// Before implements projector.Batch.
func (h *memoryShard) Before(*projector.Running) {}

// Commit implements projector.Batch.
func (h *memoryShard) Commit(context.Context, projector.Change) error {
	h.view.kept.Add(h.events)
	h.events = 0
	return nil
}

// Rollback implements projector.Batch. What was counted in rows stays, and the count of events tells that something was wrong.
func (h *memoryShard) Rollback() {}
