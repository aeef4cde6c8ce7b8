package projector

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/seed-3eec0498/muster"
)

// turnstile wakes whoever waits for a commit.
type turnstile struct {
	waiting atomic.Int32 // how many wait, or are about to
	mu      sync.Mutex   // guards next
	next    chan struct{}
}

// enter counts a waiter in; leave must follow.
func (t *turnstile) enter() { t.waiting.Add(1) }
func (t *turnstile) leave() { t.waiting.Add(-1) }

// wait gives a channel that is closed at the next commit. Take it before looking, so that none is missed.
func (t *turnstile) wait() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.next == nil {
		t.next = make(chan struct{})
	}
	return t.next
}

// turn wakes all who wait. Without any it costs one atomic read.
func (t *turnstile) turn() {
	if t.waiting.Load() == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.next != nil {
		close(t.next)
		t.next = nil
	}
}

// await waits until the shards have applied what the query asks for.
func (s *Store) await(ctx context.Context, q *Query, shards []*storeShard) error {
	if len(q.AtLeast) == 0 {
		return nil
	}
	s.commits.enter()
	defer s.commits.leave()
	for _, p := range q.AtLeast {
		for {
			next := s.commits.wait()
			reached, err := s.reached(q.View, shards, p)
			if err != nil {
				return err
			}
			if reached {
				break
			}
			select {
			case <-next:
			case <-s.disk.Closing():
				return unavailable(q.View, ErrClosed)
			case <-ctx.Done():
				return muster.Errorf(muster.CodeOf(ctx.Err()), "view %s has not applied %v yet; try again, or read without waiting", shards[0].id.projection, p)
			}
		}
	}
	return nil
}

// reached tells whether a position has been applied.
func (s *Store) reached(view string, shards []*storeShard, p muster.Position) (bool, error) {
	known := false
	for _, sh := range shards {
		source := Source{p.Topic, p.Partition}
		known = known || sh.reads(source)
		value, closer, err := s.db.Get(sh.at().checkpoint(source))
		if notFound(err) {
			continue
		}
		if err != nil {
			return false, unavailable(view, sh.read(s, "read a position of "+sh.id.String(), err))
		}
		c, err := decodeCheckpoint(value)
		_ = closer.Close()
		if err != nil {
			return false, unavailable(view, sh.read(s, "read a position of "+sh.id.String(), undecodableRecord(err)))
		}
		known = true
		if c.Next > p.Offset {
			return true, nil
		}
	}
	if !known {
		return false, notHere(shards[0].view, "no shard that this instance holds reads %s[%d], of which position %v is", p.Topic, p.Partition, p)
	}
	return false, nil
}
