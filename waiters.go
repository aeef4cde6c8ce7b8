package muster

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// waiters are the calls that wait for an outcome.
type waiters struct {
	mu     sync.Mutex           // guards byID and closed
	byID   map[string][]*waiter // Call adds before it sends; deliver, close and Call remove
	closed bool                 // set once by close; add then refuses

	missed atomic.Int64 // steps that slow callers did not take; step adds, metrics read
	late   atomic.Int64 // outcomes nobody waits for any more; deliver adds, metrics read
}

// waiter is one call that waits.
type waiter struct {
	answer chan *Outcome // has room for one; nil says that the client was closed
	steps  *steps        // nil: the call wants no progress

	deadline time.Time // of the command as this call sends it
}

func newWaiter(deadline time.Time, onStep func(*Step) bool) *waiter {
	w := &waiter{answer: make(chan *Outcome, 1), deadline: deadline}
	if onStep != nil {
		w.steps = newSteps()
	}
	return w
}

// errEnoughSteps ends a call whose caller wants no further step, and so not the outcome either.
var errEnoughSteps = errors.New("the caller stopped reading the progress")

// await waits for the outcome, and hands out the steps that come before it. A step that was there before the outcome is never left out.
func (w *waiter) await(ctx context.Context, onStep func(*Step) bool) (*Outcome, error) {
	var more chan struct{}
	if w.steps != nil {
		more = w.steps.more
	}
	for {
		select {
		case <-more:
			if !w.hand(onStep) {
				return nil, errEnoughSteps
			}
			continue
		case outcome := <-w.answer:
			return w.end(outcome, onStep)
		case <-ctx.Done():
		}
		select {
		case outcome := <-w.answer: // both were there; a known outcome is not reported as unknown
			return w.end(outcome, onStep)
		default:
			return nil, ctx.Err()
		}
	}
}

func (w *waiter) end(outcome *Outcome, onStep func(*Step) bool) (*Outcome, error) {
	if w.steps != nil && !w.hand(onStep) {
		return nil, errEnoughSteps
	}
	return outcome, nil
}

// hand reports false when the caller wants no more.
func (w *waiter) hand(onStep func(*Step) bool) bool {
	for _, s := range w.steps.take() {
		if !onStep(s) {
			return false
		}
	}
	return true
}

// add registers a waiter, and reports false after close. Several calls may wait for the same id.
func (w *waiters) add(id string, one *waiter) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.byID[id] = append(w.byID[id], one)
	return true
}

// remove takes a waiter away that may have got its outcome already.
func (w *waiters) remove(id string, gone *waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	waiting := w.byID[id]
	for i, one := range waiting {
		if one == gone {
			waiting = append(waiting[:i:i], waiting[i+1:]...)
			break
		}
	}
	if len(waiting) == 0 {
		delete(w.byID, id)
		return
	}
	w.byID[id] = waiting
}

func (w *waiters) deliver(o *Outcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var left []*waiter
	delivered := false
	for _, one := range w.byID[o.CommandID] {
		// An earlier call may have sent the command, too, and have been refused for what does not hold for this one: it came too late, say.
		if !o.Deadline.IsZero() && o.Deadline.UnixMilli() != one.deadline.UnixMilli() {
			left = append(left, one)
			continue
		}
		one.answer <- o
		delivered = true
	}
	if !delivered {
		w.late.Add(1)
		return
	}
	if delete(w.byID, o.CommandID); left != nil {
		w.byID[o.CommandID] = left
	}
}

// step passes over the waiters that want no progress.
func (w *waiters) step(s *Step) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range w.byID[s.CommandID] {
		if one.steps != nil && !one.steps.put(s) {
			w.missed.Add(1)
		}
	}
}

// close hands nil to all who wait.
func (w *waiters) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for id, waiting := range w.byID {
		delete(w.byID, id)
		for _, one := range waiting {
			one.answer <- nil
		}
	}
}

func (w *waiters) isClosed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.closed
}

func (w *waiters) size() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, waiting := range w.byID {
		n += len(waiting)
	}
	return n
}
