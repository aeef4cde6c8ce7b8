package projector

import (
	"context"
	"sync"
)

// fan lets the runners of one projection version, one for each generation that is there, take part through one membership: all of them hold the
// shards that this instance has, so that no shard moves when another generation takes over.
type fan struct {
	one   Membership
	ended chan struct{} // closed when the membership has; err is written before
	err   error

	mu    sync.Mutex // guards what follows; held over the calls of gain and lose, so that they come one after another
	held  map[int32]bool
	parts map[*fanPart]bool
}

// fanPart is one runner's share.
type fanPart struct {
	gain, lose func(context.Context, []int32)
}

func newFan(one Membership) *fan {
	return &fan{one: one, ended: make(chan struct{}), held: map[int32]bool{}, parts: map[*fanPart]bool{}}
}

// run takes part until ctx ends, or the membership cannot go on.
func (f *fan) run(ctx context.Context) error {
	f.err = f.one.Run(ctx, f.gain, f.lose)
	close(f.ended)
	return f.err
}

func (f *fan) gain(ctx context.Context, shards []int32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range shards {
		f.held[s] = true
	}
	for part := range f.parts {
		part.gain(ctx, shards)
	}
}

func (f *fan) lose(ctx context.Context, shards []int32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range shards {
		delete(f.held, s)
	}
	var all sync.WaitGroup
	for part := range f.parts {
		all.Go(func() { part.lose(ctx, shards) })
	}
	all.Wait()
}

// Run implements [Membership] for one runner. It begins with the shards that are here already.
func (f *fan) Run(ctx context.Context, gain, lose func(ctx context.Context, shards []int32)) error {
	part := &fanPart{gain, lose}
	f.mu.Lock()
	f.parts[part] = true
	var here []int32
	for s := range f.held {
		here = append(here, s)
	}
	if len(here) > 0 {
		gain(ctx, here)
	}
	f.mu.Unlock()
	var err error
	select {
	case <-ctx.Done():
	case <-f.ended:
		err = f.err
	}
	f.mu.Lock()
	delete(f.parts, part)
	f.mu.Unlock()
	return err // the runner gives up what it holds
}

// Standbys implements [StandbyMembership], where the membership does.
func (f *fan) Standbys(ctx context.Context, assign func(ctx context.Context, shards []int32)) {
	if one, is := f.one.(StandbyMembership); is {
		one.Standbys(ctx, assign)
	}
}

// Placement implements [Membership].
func (f *fan) Placement(ctx context.Context) (map[int32]Instance, error) { return f.one.Placement(ctx) }
