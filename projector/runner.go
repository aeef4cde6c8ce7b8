package projector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-3eec0498/muster"
)

// Runner runs one projection in one process: the shards that its membership gives it, each by a goroutine of its own.
type Runner struct {
	config Config
	d      *Definition
	shards map[int32]Shard // all of the projection; read-only
	orders atomic.Pointer[orders]

	running atomic.Bool
	synced  atomic.Bool   // the control table was read
	stirred chan struct{} // room for one: a state has changed, the reporter looks

	mu       sync.Mutex // guards held, and that of standing
	held     map[int32]*held
	standing standing
}

// Open checks the configuration and makes a runner. Nothing is read or written before Run.
func Open(c Config) (*Runner, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	r := &Runner{config: c.filled(), d: c.Definition, shards: map[int32]Shard{}, stirred: make(chan struct{}, 1), held: map[int32]*held{}}
	r.standing.held, r.standing.work = map[int32]*held{}, make(chan struct{}, 1)
	for _, shard := range r.d.Shards(c.Prefix) {
		shard.Generation = c.Generation
		r.shards[shard.Number] = shard
	}
	r.orders.Store(&orders{})
	return r, nil
}

// Definition gives what is run.
func (r *Runner) Definition() *Definition { return r.d }

// Generation gives the number of the one that is run.
func (r *Runner) Generation() int { return r.config.Generation }

// Run takes part until ctx ends, or the membership gives an error, which is returned. Then the batches in hand are committed, as far as
// [Config.DrainTimeout] lets them, and every goroutine has ended but those of abandoned functions. It can be called once.
func (r *Runner) Run(ctx context.Context) error {
	if r.running.Swap(true) {
		return fmt.Errorf("projection %s: its runner runs already; open another one", r.d)
	}
	if !r.sync(ctx) {
		return nil
	}
	// What ends with ctx is intake. The goroutines around it end behind the last shard.
	work, end := context.WithCancel(context.WithoutCancel(ctx))
	var around sync.WaitGroup
	around.Go(func() { r.watchOrders(work) })
	around.Go(func() { r.watchFunctions(work) })
	around.Go(func() { r.report(work) })
	standing, rest := context.WithCancel(work)
	var copies sync.WaitGroup
	copies.Go(func() { r.stand(standing) })
	err := r.member(ctx)
	rest()
	copies.Wait()
	var gone sync.WaitGroup
	gone.Go(func() { r.endStandbys(ctx) })
	r.lose(ctx, r.numbers())
	gone.Wait()
	end()
	around.Wait()
	return err
}

// sync reads the control table, for as long as it takes, or ctx lasts.
func (r *Runner) sync(ctx context.Context) bool {
	for try := 1; ; try++ {
		err := r.config.Control.Sync(ctx)
		if err == nil {
			r.takeTable()
			r.synced.Store(true)
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		r.config.Logger.WarnContext(ctx, "the control table cannot be read, trying again", "projection", r.d.String(), "try", try, "error", err)
		if !sleep(ctx, ctx.Done(), backoff(r.config.RetryFirst, r.config.RetryTop, try)) {
			return false
		}
	}
}

func (r *Runner) member(ctx context.Context) error {
	if r.config.Membership != nil {
		err := r.config.Membership.Run(ctx, r.gain, r.lose)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			err = errors.New("it ended")
		}
		return muster.Errorf(muster.Unavailable, "projection %s: the membership cannot go on: %v", r.d, err)
	}
	r.gain(ctx, r.all())
	<-ctx.Done()
	return nil
}

func (r *Runner) all() []int32 {
	var numbers []int32
	for number := range r.shards {
		numbers = append(numbers, number)
	}
	slices.Sort(numbers)
	return numbers
}

// numbers gives the shards held now.
func (r *Runner) numbers() []int32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	var numbers []int32
	for number := range r.held {
		numbers = append(numbers, number)
	}
	slices.Sort(numbers)
	return numbers
}

func (r *Runner) gain(ctx context.Context, numbers []int32) {
	r.standing.turn.Lock()
	defer r.standing.turn.Unlock()
	r.giveUp(ctx, r.standing.held, numbers) // a copy of what is served now: its rows are gone on with
	for _, number := range numbers {
		shard, is := r.shards[number]
		if !is {
			r.config.Logger.ErrorContext(ctx, "the membership gave a shard that the projection does not have; do all instances run the same contract?",
				"projection", r.d.String(), "shard", number)
			continue
		}
		r.mu.Lock()
		if r.held[number] == nil {
			r.held[number] = hold(ctx, r, shard)
		}
		r.mu.Unlock()
	}
	r.stir()
}

// lose gives shards up, side by side, and returns when they are: within DrainTimeout and Grace.
func (r *Runner) lose(ctx context.Context, numbers []int32) {
	r.giveUp(ctx, r.held, numbers)
	r.stir()
}

// giveUp ends work on shards, at the same time, and takes them out of the table they stand in.
func (r *Runner) giveUp(ctx context.Context, from map[int32]*held, numbers []int32) {
	var gone sync.WaitGroup
	for _, number := range numbers {
		r.mu.Lock()
		h := from[number]
		r.mu.Unlock()
		if h == nil {
			continue
		}
		gone.Go(func() {
			h.giveUp(ctx)
			r.mu.Lock()
			delete(from, number)
			r.mu.Unlock()
		})
	}
	gone.Wait()
}

// each calls fn with every shard held, copies too.
func (r *Runner) each(fn func(h *held)) {
	r.mu.Lock()
	all := make([]*held, 0, len(r.held)+len(r.standing.held))
	for _, h := range r.held {
		all = append(all, h)
	}
	for _, h := range r.standing.held {
		all = append(all, h)
	}
	r.mu.Unlock()
	for _, h := range all {
		fn(h)
	}
}

// Ready tells why the projection cannot be used here yet: nil when every shard held has been claimed, or is stopped or paused for a reason its
// [Status] tells. How far it has come is not asked.
func (r *Runner) Ready() error {
	if !r.synced.Load() {
		return muster.Errorf(muster.Unavailable, "projection %s: its control table is not read yet", r.d)
	}
	for _, s := range r.Status() {
		if s.State == Claiming && !s.Standby {
			return muster.Errorf(muster.Unavailable, "projection %s: shard %d is being claimed", r.d, s.Shard)
		}
	}
	return nil
}

// Status says what the shards held here are doing, by number, and then the copies that are kept warm.
func (r *Runner) Status() []Status {
	var all []Status
	r.each(func(h *held) { all = append(all, h.progress.status(r.config.Now())) })
	slices.SortFunc(all, func(a, b Status) int {
		return cmp.Or(btoi(a.Standby)-btoi(b.Standby), int(a.Shard-b.Shard))
	})
	return all
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// stir has the reporter look at once.
func (r *Runner) stir() {
	select {
	case r.stirred <- struct{}{}:
	default:
	}
}

// sleep waits, and tells whether it waited to the end.
func sleep(ctx context.Context, wake <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-wake:
	case <-ctx.Done():
	}
	return false
}
