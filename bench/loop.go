package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// loop is a closed loop of clients: each makes its next call when it has the answer to the one before.
type loop struct {
	clients int
	warm    time.Duration // calls of this time do not count
	window  time.Duration // how long calls are counted
	limit   int           // calls per client after which it ends early; 0 means no limit
	seed    uint64
	pick    func(*rand.Rand) int                                   // the aggregate of the next call
	call    func(ctx context.Context, client, aggregate int) error // returns when the answer is there
}

// counted is what a loop came to.
type counted struct {
	rate      float64 // calls per second
	all       float64 // calls made, warming up included
	latencies []time.Duration
}

func (c *counted) percentile(p float64) float64 {
	if len(c.latencies) == 0 {
		return 0
	}
	at := min(len(c.latencies)-1, int(p*float64(len(c.latencies))))
	return float64(c.latencies[at].Microseconds()) / 1000
}

// run runs the loop. The first call that fails ends it.
func (l *loop) run(ctx context.Context) (counted, error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	if err := l.prime(ctx); err != nil {
		return counted{}, err
	}
	began := time.Now()
	from, to := began.Add(l.warm), began.Add(l.warm+l.window)
	each := make([][]time.Duration, l.clients)
	ends := make([]time.Time, l.clients)
	var all atomic.Int64
	var clients sync.WaitGroup
	for client := range l.clients {
		clients.Go(func() {
			random := rand.New(rand.NewPCG(l.seed, uint64(client)))
			for n := 0; l.limit == 0 || n < l.limit; {
				sent := time.Now()
				if !sent.Before(to) || ctx.Err() != nil {
					return
				}
				if err := l.call(ctx, client, l.pick(random)); err != nil {
					fail(err)
					return
				}
				all.Add(1)
				if done := time.Now(); !sent.Before(from) && (l.limit > 0 || !done.After(to)) {
					each[client] = append(each[client], done.Sub(sent))
					ends[client] = done
					n++
				}
			}
		})
	}
	clients.Wait()
	if err := context.Cause(ctx); err != nil {
		return counted{}, err
	}
	c := counted{all: float64(all.Load()), latencies: slices.Concat(each...)}
	if len(c.latencies) == 0 {
		return counted{}, errors.New("no call was answered in time; give a longer -window")
	}
	slices.Sort(c.latencies)
	if l.limit > 0 {
		to = slices.MaxFunc(ends, time.Time.Compare)
	}
	c.rate = float64(len(c.latencies)) / to.Sub(from).Seconds()
	return c, nil
}

// primeLimit bounds the first calls, which wait for topics and connections.
const primeLimit = 30 * time.Second

// prime makes one call per client, so that connections, metadata and transactional ids are there before the time runs.
func (l *loop) prime(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, primeLimit, errors.New("the first calls were not answered within 30s"))
	defer cancel()
	faults := make([]error, l.clients)
	var clients sync.WaitGroup
	for client := range l.clients {
		clients.Go(func() {
			faults[client] = l.call(ctx, client, l.pick(rand.New(rand.NewPCG(l.seed, uint64(client)))))
		})
	}
	clients.Wait()
	return errors.Join(faults...)
}
