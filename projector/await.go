package projector

import (
	"context"
	"fmt"

	"github.com/seed-3eec0498/muster"
)

// NotHeldError says that another instance holds the shard; errors.Is finds muster.ErrNotHeld in it, and its code is Unavailable.
type NotHeldError struct {
	Projection string // name@version
	Shard      int32
}

// Error names the shard and the next step.
func (e *NotHeldError) Error() string {
	return fmt.Sprintf("projection %s: shard %d is not held by this instance; ask the one that holds it", e.Projection, e.Shard)
}

// Unwrap gives the sentinel and the code.
func (e *NotHeldError) Unwrap() []error {
	return []error{muster.ErrNotHeld, muster.Errorf(muster.Unavailable, "%s", e.Error())}
}

// waiter is a call of Await. done has room for one.
type waiter struct {
	source int
	offset int64
	id     string
	done   chan error
}

// Await returns when the events up to pos are applied here. Otherwise its error is a [*NotHeldError]; Unavailable where the shard is paused or
// stopped; FailedPrecondition where the event at pos was put aside; InvalidArgument where the projection reads no such journal; or that of ctx.
func (r *Runner) Await(ctx context.Context, pos muster.Position) error {
	if pos.IsZero() {
		return nil // the command wrote nothing
	}
	shard, is := r.shardOf(pos)
	if !is {
		return muster.Errorf(muster.InvalidArgument, "projection %s does not read %s[%d]; wait for a projection that does", r.d, pos.Topic, pos.Partition)
	}
	r.mu.Lock()
	h := r.held[shard.Number]
	r.mu.Unlock()
	if h == nil {
		return &NotHeldError{r.d.String(), shard.Number}
	}
	return h.progress.await(ctx, pos)
}

func (r *Runner) shardOf(pos muster.Position) (Shard, bool) {
	number := pos.Partition
	if r.d.placement == Replicated {
		number = Whole
	}
	shard, is := r.shards[number]
	if !is {
		return Shard{}, false
	}
	for _, s := range shard.Sources {
		if s.Topic == pos.Topic && s.Partition == pos.Partition {
			return shard, true
		}
	}
	return Shard{}, false
}

func (p *progress) await(ctx context.Context, pos muster.Position) error {
	w := &waiter{source: p.index[Source{pos.Topic, pos.Partition}], offset: pos.Offset, id: pos.String(), done: make(chan error, 1)}
	p.mu.Lock()
	over, err := p.overLocked(w)
	if !over {
		p.waiters = append(p.waiters, w)
	}
	p.mu.Unlock()
	if over {
		return err
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, other := range p.waiters {
		if other == w {
			p.waiters[i] = p.waiters[len(p.waiters)-1]
			p.waiters = p.waiters[:len(p.waiters)-1]
			break
		}
	}
	return muster.Errorf(muster.CodeOf(ctx.Err()), "projection %s: shard %d has not applied %v in time, it is %s and %d records behind; the events are committed, so read later",
		p.shard.Projection, p.shard.Number, pos, p.known.State, p.lagLocked())
}

// overLocked tells whether a wait has come to its end.
func (p *progress) overLocked(w *waiter) (bool, error) {
	if l, is := p.letters[w.id]; is {
		return true, muster.Errorf(muster.FailedPrecondition, "projection %s: the event at %s was put aside (%s, %s); mend the cause and retry it",
			p.shard.Projection, w.id, l.kind, l.reason)
	}
	switch {
	case p.ended:
		return true, &NotHeldError{p.shard.Projection, p.shard.Number}
	case p.known.State == Claiming && p.cps[w.source].TopicID == [16]byte{}: // what is stored is not known yet
		return false, nil
	case p.next[w.source] > w.offset:
		return true, nil
	case p.known.State == Paused:
		return true, muster.Errorf(muster.Unavailable, "projection %s: shard %d is paused before %s; resume it", p.shard.Projection, p.shard.Number, w.id)
	case p.known.State == Stopped:
		return true, muster.Errorf(muster.Unavailable, "projection %s: shard %d has stopped before %s (%s); its status tells why", p.shard.Projection, p.shard.Number, w.id, p.known.Reason)
	}
	return false, nil
}

// tellLocked ends the waits that have come to their end.
func (p *progress) tellLocked() {
	if len(p.waiters) == 0 {
		return
	}
	left := p.waiters[:0]
	for _, w := range p.waiters {
		if over, err := p.overLocked(w); over {
			w.done <- err
		} else {
			left = append(left, w)
		}
	}
	clear(p.waiters[len(left):])
	p.waiters = left
}

// end tells who waits that the shard is no longer here.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.tellLocked()
}
