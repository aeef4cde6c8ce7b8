package crypto

import (
	"sync/atomic"
	"time"
)

// Observe is told what happens rarely; what happens often is counted in [Stats]. Functions may be nil; they are called by many goroutines at once
// and should return soon.
type Observe struct {
	// Unwrapped is called when a data key was opened, with the time it took.
	Unwrapped func(time.Duration)
	// Fault is called with each error about a key or a sealed payload: one of this package's.
	Fault func(error)
	// Watch is called when the watch of the key store begins to run, and with the reason when it is cut.
	Watch func(live bool, err error)
}

func (o *Observe) unwrapped(took time.Duration) {
	if o.Unwrapped != nil {
		o.Unwrapped(took)
	}
}

func (o *Observe) fault(err error) {
	if o.Fault != nil {
		o.Fault(err)
	}
}

func (o *Observe) watch(live bool, err error) {
	if o.Watch != nil {
		o.Watch(live, err)
	}
}

// Stats counts since the codec was opened.
type Stats struct {
	Hits    int64 // parts sealed or opened with a key that was in the cache
	Misses  int64 // keys that the key store was asked about
	Unwraps int64 // data keys opened
	Created int64 // data keys made, losers too
	Sealed  int64 // parts
	Opened  int64 // parts

	Subjects  int           // in the cache
	Destroyed int           // keys known to be destroyed
	Live      bool          // the key store is being watched
	Behind    time.Duration // how long it has not been
}

// counters are counted at the end of a call, and what is usual once only.
type counters struct {
	misses, unwraps, created, sealed, opened atomic.Int64

	uncached atomic.Int64 // of the parts sealed and opened, those whose key was not in the cache
}

// Stats gives the counters.
func (c *Codec) Stats() Stats {
	n := &c.ring.stats
	uncached := n.uncached.Load() // first: so it never counts a part that the others do not
	s := Stats{
		Misses: n.misses.Load(), Unwraps: n.unwraps.Load(), Created: n.created.Load(), Sealed: n.sealed.Load(), Opened: n.opened.Load(),
	}
	s.Hits = s.Sealed + s.Opened - uncached
	for _, shelf := range c.ring.refs {
		s.Subjects += shelf.len()
	}
	s.Destroyed = c.ring.gone.len()
	if s.Live = c.ring.watch.session() != 0; !s.Live {
		s.Behind = time.Duration(c.ring.clock() - c.ring.watch.cut.Load())
	}
	return s
}

func (g *goneKeys) len() int {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return len(g.dead)
}
