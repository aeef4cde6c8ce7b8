package mustertest

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/seed-3eec0498/muster/projector"
)

type memoryHolding struct {
	target   *MemoryTarget
	shard    projector.Shard
	epoch    int64
	released atomic.Bool // set by Release; a commit reads it
	open     bool        // a batch is
}

// Stored implements [projector.Holding].
func (h *memoryHolding) Stored(ctx context.Context) (projector.Stored, error) {
	if err := h.target.at(ctx, "stored", h.shard); err != nil {
		return projector.Stored{}, err
	}
	store := h.target.store
	store.mu.Lock()
	defer store.mu.Unlock()
	s := store.shard(h.shard)
	if s.epoch != h.epoch {
		return projector.Stored{}, projector.ErrFenced
	}
	return s.stored(), nil
}

// Begin implements [projector.Holding].
func (h *memoryHolding) Begin(ctx context.Context) (projector.Batch, error) {
	if err := h.target.at(ctx, "begin", h.shard); err != nil {
		return nil, err
	}
	if h.open {
		return nil, errors.New("a batch is open already; commit it or roll it back first")
	}
	h.open = true
	return &memoryBatch{holding: h, writes: map[string]*string{}, outbox: projector.NewOutbox(nil)}, nil
}

// Release implements [projector.Holding].
func (h *memoryHolding) Release() { h.released.Store(true) }

type memoryBatch struct {
	holding *memoryHolding
	writes  map[string]*string // nil: deleted
	outbox  *projector.Outbox
	tx      MemoryTx
	done    bool
}

// Tx implements [projector.Batch].
func (b *memoryBatch) Tx() any { return &b.tx }

// Before implements [projector.Batch].
func (b *memoryBatch) Before(e *projector.Running) {
	b.tx = MemoryTx{batch: b, running: *e}
	b.outbox.Before(e)
}

// Commit implements [projector.Batch].
func (b *memoryBatch) Commit(ctx context.Context, change projector.Change) error {
	if b.done {
		return errors.New("the batch has ended; begin another one")
	}
	h := b.holding
	b.done, h.open = true, false
	if err := h.target.at(ctx, "commit", h.shard); err != nil {
		return err
	}
	if err := b.store(change); err != nil {
		return err
	}
	return h.target.at(ctx, "committed", h.shard)
}

func (b *memoryBatch) store(change projector.Change) error {
	h := b.holding
	store := h.target.store
	store.mu.Lock()
	defer store.mu.Unlock()
	s := store.shard(h.shard)
	if s.epoch != h.epoch || h.released.Load() {
		return projector.ErrFenced
	}
	for key, value := range b.writes {
		if value == nil {
			delete(s.rows, key)
		} else {
			s.rows[key] = *value
		}
	}
	s.published = append(s.published, b.outbox.Publications()...)
	s.checkpoints = putCheckpoints(s.checkpoints, change.Checkpoints)
	s.letters = putLetters(s.letters, change.Put, change.Remove)
	if change.Acts != 0 {
		s.acts = change.Acts
	}
	return nil
}

// Rollback implements [projector.Batch].
func (b *memoryBatch) Rollback() {
	if !b.done {
		b.done, b.holding.open = true, false
	}
}
