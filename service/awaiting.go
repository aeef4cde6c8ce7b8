package service

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/viewhttp"
)

// awaiting is the wait for a position of a projection, wherever its shard is held. What happens in this process is looked at when it happens; the
// brokers, who alone know of other instances, are asked at once and then less and less often.
type awaiting struct {
	here    func(ctx context.Context) error                                            // waits here; a NotHeldError: the shard is not
	holder  func(ctx context.Context, shard int32) (at projector.Instance, known bool) // asks the brokers
	there   func(ctx context.Context) error                                            // waits at the instance that holds the shard
	changes func() <-chan struct{}                                                     // closed when something has changed here
	closed  <-chan struct{}                                                            // the service ends
	self    string                                                                     // name of this instance
}

// A shard that nobody is known to hold is asked about after awaitFirst again, and after twice the pause each time up to awaitTop: a rebalance takes
// that long at least.
const (
	awaitFirst = 20 * time.Millisecond
	awaitTop   = 500 * time.Millisecond
)

// run waits. Its errors are those of [Service.AwaitView].
func (a *awaiting) run(ctx context.Context) error {
	ask := time.NewTimer(0)
	defer ask.Stop()
	for pause := awaitFirst; ; {
		changed := a.changes() // before looking, so that no change is missed
		err := a.here(ctx)
		moved, is := errors.AsType[*projector.NotHeldError](err)
		if !is {
			return err
		}
		select {
		case <-ask.C:
			if over, err := a.elsewhere(ctx, moved); over {
				return err
			}
			ask.Reset(pause/2 + time.Duration(rand.Int64N(int64(pause/2)))) // by chance, so that those who wait do not ask together
			pause = min(2*pause, awaitTop)
		case <-changed:
		case <-a.closed:
			return muster.ErrShuttingDown
		case <-ctx.Done():
			return muster.Errorf(muster.CodeOf(ctx.Err()), "projection %s: no instance held shard %d in time", moved.Projection, moved.Shard)
		}
	}
}

// elsewhere waits at who holds the shard, and tells whether that was all.
func (a *awaiting) elsewhere(ctx context.Context, moved *projector.NotHeldError) (over bool, err error) {
	at, known := a.holder(ctx, moved.Shard)
	switch {
	case !known || at.Name == a.self: // it is coming here, or has just gone
		return false, nil
	case at.Address == "":
		return true, moved
	}
	err = a.there(ctx)
	return muster.ReasonOf(err) != viewhttp.ReasonMoved, err
}
