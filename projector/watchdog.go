package projector

import (
	"context"
	"fmt"
	"time"
)

// watchFunctions ends the contexts of functions that take too long, and abandons those that do not heed it. One goroutine looks at the functions
// of all shards, so that an event costs no timer: a deadline is met a quarter late at most.
func (r *Runner) watchFunctions(ctx context.Context) {
	deadline := r.d.deadline
	if deadline == 0 {
		deadline = defaultDeadline
	}
	tick := time.NewTicker(max(min(deadline, r.config.Grace)/4, time.Millisecond))
	defer tick.Stop()
	watched := map[*worker]*watch{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		live := map[*worker]*watch{}
		r.each(func(h *held) {
			h.mu.Lock()
			w := h.worker
			h.mu.Unlock()
			seen := watched[w]
			if seen == nil {
				seen = &watch{}
			}
			live[w] = seen
			seen.look(ctx, w, now, deadline)
		})
		watched = live
	}
}

// watch is what the watchdog has seen of a worker.
type watch struct {
	number uint64    // of the function in hand
	since  time.Time // it is
	over   time.Time // its context was ended
}

func (s *watch) look(ctx context.Context, w *worker, now time.Time, deadline time.Duration) {
	state := w.hand.state.Load()
	switch {
	case state&handRuns == 0:
		s.number = 0
	case s.number != state>>2:
		*s = watch{number: state >> 2, since: now}
	case state&handOver == 0:
		if now.Sub(s.since) >= deadline && w.hand.overdue(state) {
			s.over = now
		}
	case !s.over.IsZero() && now.Sub(s.over) >= w.r.config.Grace:
		s.over = time.Time{}
		typ, at, runs := w.hand.seen(s.number)
		if !runs {
			return // in the nick of time
		}
		w.held.replace(ctx, w, &stopped{
			reason: ReasonDeadline, at: at, typ: typ,
			err: fmt.Errorf("projection %s: the function for %s has not returned %v after its deadline of %v, and its goroutine is left behind; make it heed its context, then resume the shard or skip the event",
				w.shard, typ, w.r.config.Grace, deadline),
		})
	}
}
