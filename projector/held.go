package projector

import (
	"context"
	"sync"
	"time"
)

// held is one shard in this process, from gain to lose. Its worker does the work; where that is stuck in a function that does not return, it is
// abandoned and another one takes its place.
type held struct {
	runner   *Runner
	shard    Shard
	progress progress
	leave    chan struct{} // closed by giveUp: workers finish what is in hand and end

	mu     sync.Mutex // guards worker: giveUp and the watchdog read it, the watchdog replaces it
	worker *worker
}

func hold(ctx context.Context, r *Runner, shard Shard) *held {
	h := &held{runner: r, shard: shard, leave: make(chan struct{})}
	h.progress.init(r, shard)
	h.worker = newWorker(context.WithoutCancel(ctx), h, nil)
	go h.worker.run() //nolint:contextcheck // it has a context of its own; giveUp joins it
	return h
}

// giveUp ends the work on the shard, within DrainTimeout and Grace: the batch in hand is committed, or its context ends, or it is abandoned.
func (h *held) giveUp(ctx context.Context) {
	h.mu.Lock()
	close(h.leave) // with mu held: from here on the watchdog puts no other worker in place
	w := h.worker
	h.mu.Unlock()
	w.intake.wake()
	ctx = context.WithoutCancel(ctx)
	if !w.endedWithin(h.runner.config.DrainTimeout) {
		w.cancel()
		if !w.endedWithin(h.runner.config.Grace) {
			w.abandon(ctx, "released")
		}
	}
	w.cancel()
	h.progress.end()
	if released := h.runner.config.Observe.Released; released != nil {
		released(h.shard)
	}
}

func (w *worker) endedWithin(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-w.ended:
		return true
	case <-timer.C:
		return false
	}
}

// replace puts another worker in the place of one whose function does not return. The shard stops visibly; an operator may have it go on.
func (h *held) replace(ctx context.Context, old *worker, stop *stopped) {
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case <-h.leave:
		return // giveUp sees to it
	default:
	}
	if h.worker != old || !old.abandon(ctx, ReasonDeadline) {
		return
	}
	h.worker = newWorker(context.WithoutCancel(ctx), h, stop)
	go h.worker.run() //nolint:contextcheck // it has a context of its own; giveUp joins it
}

// intake is the context of waiting for more: it can be ended and made anew. wake is called by anyone, context by the worker.
type intake struct {
	parent context.Context

	mu     sync.Mutex // guards what follows
	ctx    context.Context
	cancel context.CancelFunc
}

// context gives one that has not ended, unless its parent has.
func (i *intake) context() context.Context {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.ctx == nil || i.ctx.Err() != nil {
		if i.cancel != nil {
			i.cancel()
		}
		i.ctx, i.cancel = context.WithCancel(i.parent)
	}
	return i.ctx
}

func (i *intake) wake() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.cancel != nil {
		i.cancel()
	}
}
