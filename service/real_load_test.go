package service_test

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/seed-3eec0498/muster/internal/history"
)

// steady gives orders until the returned function is called, which waits for the last answer. The run may make no orders meanwhile.
func (r *run) steady(workers, aggregates int) (stop func()) {
	ended := make(chan struct{})
	var load sync.WaitGroup
	load.Go(func() {
		for {
			r.give(r.orders(10*workers, aggregates), workers)
			select {
			case <-ended:
				return
			default:
			}
		}
	})
	var once sync.Once
	stop = func() { once.Do(func() { close(ended) }); load.Wait() }
	r.t.Cleanup(stop)
	return stop
}

// awaitAnswers returns when n more commands have been answered.
func (r *run) awaitAnswers(n int) {
	r.t.Helper()
	until := len(r.log.Calls()) + n
	r.await("further answers", func() bool { return len(r.log.Calls()) >= until })
}

// await returns when a condition holds that is looked at again and again.
func (r *run) await(what string, holds func() bool) {
	r.t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-limit.C:
			r.t.Fatalf("no %s within %v", what, patience)
		}
	}
}

// report logs how long the calls took, and how many had to be tried again.
func (r *run) report() {
	r.t.Helper()
	calls := r.log.Calls()
	again := 0
	for i := range calls {
		if calls[i].Attempts > 1 {
			again++
		}
	}
	took := func(c history.Call) time.Duration { return c.Answered.Sub(c.Sent).Round(time.Millisecond) }
	slices.SortFunc(calls, func(a, b history.Call) int { return cmp.Compare(took(a), took(b)) })
	n := len(calls)
	r.t.Logf("%d calls: p50 %v, p99 %v, longest %v; %d needed more than one attempt", n, took(calls[n/2]), took(calls[n*99/100]), took(calls[n-1]), again)
}
