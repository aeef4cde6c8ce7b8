package projector

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// Standbys has n other instances keep a warm copy of each shard of a [Sharded] view, as num.standby.replicas of Kafka Streams has: each folds the shard into
// its own store and does not serve it. When the instance that holds the shard dies or leaves, one that has a copy gets it and has the tail to apply, not the
// whole journal. With fewer instances there are as many copies as other instances. Each copy costs the reading of its journals, the running of the functions and
// the room of the rows once more; copies are worked on one batch at a time, so that what is served goes first. Zero, the default, means none. Only views
// have copies: other targets lie outside and move as a whole.
func Standbys(n int) Option { return func(d *Definition) { d.standbys = n } }

// Standbys gives how many copies of each shard other instances keep warm.
func (d *Definition) Standbys() int { return d.standbys }

// StandbyMembership is a [Membership] that also says which copies an instance is to keep. Whoever places them sees to it that all instances come to the
// same result.
type StandbyMembership interface {
	Membership
	// Standbys calls assign with all shards of which this instance is to keep a copy now, whenever they change, until ctx ends. A shard that the instance
	// holds is not among them for long: what Run gives counts first.
	Standbys(ctx context.Context, assign func(ctx context.Context, shards []int32))
}

func (d *Definition) standbyFaults() []error {
	fault := func(format string, args ...any) []error {
		return []error{fmt.Errorf("projection "+d.String()+": "+format, args...)}
	}
	switch {
	case d.standbys < 0:
		return fault("Standbys is %d; choose 1 or more, or 0 for none", d.standbys)
	case d.standbys == 0:
		return nil
	case !d.folds:
		return fault("Standbys is for views, whose rows lie on the instance; leave it out: what lies outside needs no second copy")
	case d.placement != Sharded:
		return fault("Standbys is for Sharded views; leave it out: of a replicated one each instance has everything")
	}
	return nil
}

// standing is what a runner knows of the copies that it keeps warm.
type standing struct {
	turn sync.Mutex      // held while shards come or go, so that a copy has let go of its shard before it is served
	held map[int32]*held // guarded by mu of the runner
	work chan struct{}   // room for one: who is in it applies a batch
	over bool            // no further copies; guarded by turn
}

// stand keeps copies until ctx ends.
func (r *Runner) stand(ctx context.Context) {
	membership, is := r.config.Membership.(StandbyMembership)
	if !is || r.d.standbys == 0 {
		return
	}
	membership.Standbys(ctx, r.assign)
}

// assign has exactly these copies kept, but for shards that are held.
func (r *Runner) assign(ctx context.Context, numbers []int32) {
	r.standing.turn.Lock()
	defer r.standing.turn.Unlock()
	var gone []int32
	r.mu.Lock()
	for number := range r.standing.held {
		if !slices.Contains(numbers, number) {
			gone = append(gone, number)
		}
	}
	r.mu.Unlock()
	r.giveUp(ctx, r.standing.held, gone) // what they have stored stays
	for _, number := range numbers {
		shard, is := r.shards[number]
		r.mu.Lock()
		if is && !r.standing.over && r.held[number] == nil && r.standing.held[number] == nil {
			shard.Standby = true
			r.standing.held[number] = hold(ctx, r, shard)
		}
		r.mu.Unlock()
	}
	r.stir()
}

// endStandbys ends all copies; none comes after that.
func (r *Runner) endStandbys(ctx context.Context) {
	r.standing.turn.Lock()
	r.standing.over = true
	r.standing.turn.Unlock()
	r.assign(ctx, nil)
}

// beginTurn waits until no other copy applies a batch, so that copies take the place of one shard, however many there are. False: there is something to see to.
func (w *worker) beginTurn() bool {
	if !w.shard.Standby {
		return true
	}
	select {
	case w.r.standing.work <- struct{}{}:
		w.inTurn.Store(true)
		return true
	case <-w.held.leave:
	case <-w.ctx.Done():
	}
	return false
}

// endTurn lets the next one work. Whoever abandons a worker ends its turn for it.
func (w *worker) endTurn() {
	if w.inTurn.CompareAndSwap(true, false) {
		<-w.r.standing.work
	}
}
