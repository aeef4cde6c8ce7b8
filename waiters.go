package muster

import (
	"sync"
	"sync/atomic"
)

// waiters are the calls that wait for an outcome.
type waiters struct {
	mu     sync.Mutex                 // guards byID and closed
	byID   map[string][]chan *Outcome // Call adds before it sends; deliver, close and Call remove; each channel has room for one
	closed bool                       // set once by close; add then refuses

	late atomic.Int64 // outcomes nobody waits for any more; deliver adds, metrics read
}

// add registers a waiter, and reports false after close. Several calls may wait for the same id.
func (w *waiters) add(id string, answer chan *Outcome) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.byID[id] = append(w.byID[id], answer)
	return true
}

// remove takes a waiter away that may have got its outcome already.
func (w *waiters) remove(id string, answer chan *Outcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	waiting := w.byID[id]
	for i, one := range waiting {
		if one == answer {
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
	waiting := w.byID[o.CommandID]
	if len(waiting) == 0 {
		w.late.Add(1)
		return
	}
	delete(w.byID, o.CommandID)
	for _, one := range waiting {
		one <- o
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
			one <- nil
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
