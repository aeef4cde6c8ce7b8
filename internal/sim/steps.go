package sim

import (
	"context"
	"sync"
	"time"
)

// steps counts the operations that have begun.
type steps struct {
	mu      sync.Mutex // guards what follows
	n       int
	changed chan struct{} // closed at the next step
	over    chan struct{} // closed when there are no more
}

func newSteps() *steps { return &steps{changed: make(chan struct{}), over: make(chan struct{})} }

func (s *steps) step() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *steps) now() (n int, changed chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n, s.changed
}

// await returns when so many have begun, there are no more, or none has begun for a while: what stands still has to be shaken.
func (s *steps) await(ctx context.Context, n int, while time.Duration) {
	for {
		got, changed := s.now()
		if got >= n {
			return
		}
		timer := time.NewTimer(while)
		select {
		case <-changed:
			timer.Stop()
		case <-s.over:
			timer.Stop()
			return
		case <-timer.C:
			return
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}
