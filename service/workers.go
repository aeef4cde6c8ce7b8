package service

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-3eec0498/muster"
)

// workers runs the units of one slice after another. A handler that overruns its deadline is given up: its context ends, its command
// is refused, another goroutine runs the rest of its unit, and the goroutine that is stuck in it ends when the handler returns.
type workers struct {
	size     int
	deadline time.Duration
	beat     func() // called while handlers are watched over: none can take longer than the deadline then

	running *atomic.Int64  // units being run, given up ones among them; workers add and subtract, metrics read
	all     sync.WaitGroup // the goroutines, those left behind too
}

func newWorkers(size int, deadline time.Duration, running *atomic.Int64) *workers {
	return &workers{size: orDefault(size, runtime.GOMAXPROCS(0)), deadline: deadline, running: running}
}

// slot is one worker's unit in hand; the worker writes it, the watch reads it.
type slot struct {
	unit   atomic.Pointer[muster.Unit]
	cancel context.CancelFunc
}

// run runs all units and returns when each has ended or was given up to its end.
func (w *workers) run(ctx context.Context, units []*muster.Unit) {
	if len(units) == 0 {
		return
	}
	var next atomic.Int64
	n := min(w.size, len(units))
	slots := make([]*slot, n)
	done := make(chan int, n) // a worker's index when it found no further unit
	start := func(i int, first *muster.Unit) {
		s := &slot{}
		s.unit.Store(first)
		var handling context.Context
		handling, s.cancel = context.WithCancel(ctx)
		slots[i] = s
		go w.work(handling, s, units, &next, func() { done <- i })
	}
	for i := range n {
		start(i, nil)
	}
	watch := time.NewTicker(max(w.deadline/10, time.Millisecond))
	defer watch.Stop()
	seen := make([]sighting, n)
	deadline, ended := w.deadline, ctx.Done()
	for running := n; running > 0; {
		select {
		case i := <-done:
			slots[i].cancel()
			running--
		case <-ended: // whoever does not heed its context now is left behind
			deadline, ended = 0, nil
			watch.Reset(lastGrace)
		case <-watch.C:
			if w.beat != nil {
				w.beat()
			}
			now := time.Now() // a tick that nobody took in time says when it was due
			for i, s := range slots {
				if u, turn := seen[i].overdue(s, now, deadline); u != nil && u.GiveUp(turn) {
					s.cancel()
					start(i, u)
				}
			}
		}
	}
}

// lastGrace is how long a handler has to return when the time to drain is over, before it is left behind.
const lastGrace = 10 * time.Millisecond

// sighting is what the watch saw in a slot, and since when.
type sighting struct {
	unit  *muster.Unit
	turn  uint64
	since time.Time
}

// overdue gives the unit whose handler has been seen in the same turn for the whole deadline.
func (s *sighting) overdue(in *slot, now time.Time, deadline time.Duration) (*muster.Unit, uint64) {
	unit := in.unit.Load()
	if unit == nil {
		return nil, 0
	}
	if turn := unit.Turn(); unit != s.unit || turn != s.turn {
		*s = sighting{unit: unit, turn: turn, since: now}
		return nil, 0
	}
	if now.Sub(s.since) < deadline {
		return nil, 0
	}
	return unit, s.turn
}

// work runs units until there is none. A goroutine whose unit was given up has been replaced: it says nothing and ends.
func (w *workers) work(ctx context.Context, s *slot, units []*muster.Unit, next *atomic.Int64, done func()) {
	w.all.Add(1)
	defer w.all.Done()
	for unit := s.unit.Load(); ; unit = nil {
		if unit == nil {
			i := next.Add(1) - 1
			if i >= int64(len(units)) {
				s.unit.Store(nil)
				done()
				return
			}
			unit = units[i]
			s.unit.Store(unit)
		}
		w.running.Add(1)
		ended := unit.Run(ctx)
		w.running.Add(-1)
		if !ended {
			return
		}
	}
}
