package crypto

import (
	"context"
	"errors"
	"sync"
)

// rowWatchers are all who watch a store. The zero value is ready.
type rowWatchers struct {
	mu  sync.Mutex // guards all
	all map[*rowWatcher]bool
}

// rowWatcher is one who watches.
type rowWatcher struct {
	told chan struct{} // has room for one: there is something in what follows

	mu    sync.Mutex // guards what follows
	queue []rowChange
	cut   error
}

type rowChange struct {
	row   []byte
	since int64
}

// maxRowQueue is how many changes one who watches may be behind, so that memory is bounded.
const maxRowQueue = 100_000

var errRowQueue = errors.New("crypto: who watches the key store is too far behind")

func (s *rowWatchers) join() *rowWatcher {
	w := &rowWatcher{told: make(chan struct{}, 1)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[*rowWatcher]bool{}
	}
	s.all[w] = true
	return w
}

func (s *rowWatchers) leave(w *rowWatcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, w)
}

// tell gives everybody a row that changed behind a place.
func (s *rowWatchers) tell(row []byte, since int64) {
	s.each(func(w *rowWatcher) {
		if len(w.queue) < maxRowQueue {
			w.queue = append(w.queue, rowChange{row, since})
		} else {
			w.cut = errRowQueue
		}
	})
}

// cut ends every watch, since something may be missed.
func (s *rowWatchers) cut(err error) { s.each(func(w *rowWatcher) { w.cut = err }) }

func (s *rowWatchers) each(f func(w *rowWatcher)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.all {
		w.mu.Lock()
		f(w)
		w.mu.Unlock()
		select {
		case w.told <- struct{}{}:
		default:
		}
	}
}

// forget drops what was told up to now, but for a cut.
func (w *rowWatcher) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = nil
}

// run hands changes on until ctx ends or the watch is cut.
func (w *rowWatcher) run(ctx context.Context, f func(row []byte, since int64)) error {
	for {
		select {
		case <-w.told:
		case <-ctx.Done():
			return ctx.Err()
		}
		w.mu.Lock()
		queue, cut := w.queue, w.cut
		w.queue = nil
		w.mu.Unlock()
		if cut != nil {
			return cut
		}
		for _, c := range queue {
			f(c.row, c.since)
		}
	}
}
