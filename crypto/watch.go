package crypto

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/seed-3eec0498/muster/internal/mutant"
)

// watch follows the key store, so that keys destroyed anywhere are forgotten here. Each time it runs is a session with a number.
//
//	live > 0  <=>  everything the key store does is heard of since that session began
type watch struct {
	ring *keyring

	live atomic.Uint64 // number of the session that runs; 0: none
	last atomic.Uint64 // number of the last session that ran
	cut  atomic.Int64  // up to when it has heard of everything, on clock
}

// watchCut is the error of a watch that was cut later than something may have been missed.
type watchCut struct {
	known time.Time // everything was heard of up to then
	err   error
}

// Error gives the text of the cause.
func (c *watchCut) Error() string { return c.err.Error() }

// Unwrap gives the cause.
func (c *watchCut) Unwrap() error { return c.err }

func newWatch(r *keyring) *watch { return &watch{ring: r} }

func (w *watch) session() uint64 { return w.live.Load() }

// covers tells whether a key that was found good is known to be good still, give or take the grace period.
func (w *watch) covers(k *openKey) bool {
	session := k.session.Load()
	if mutant.CacheWithoutBound || session != 0 && session == w.live.Load() {
		return true
	}
	known := k.checked.Load()
	if session != 0 && session == w.last.Load() {
		known = max(known, w.cut.Load())
	}
	return w.ring.clock()-known <= int64(w.ring.cfg.Grace)
}

// run watches until ctx ends, again and again.
func (w *watch) run(ctx context.Context) {
	cfg := w.ring.cfg
	for number := uint64(1); ctx.Err() == nil; number++ {
		err := w.ring.store.Watch(ctx, func() {
			w.last.Store(number)
			w.live.Store(number)
			cfg.Observe.watch(true, nil)
		}, w.ring.heard)
		if w.live.Load() == number {
			known := w.ring.clock()
			if late, is := errors.AsType[*watchCut](err); is {
				known -= int64(time.Since(late.known))
			}
			w.cut.Store(known)
		}
		w.live.Store(0)
		if ctx.Err() != nil {
			return
		}
		cfg.Observe.watch(false, err)
		select {
		case <-ctx.Done():
		case <-time.After(cfg.Grace / 30):
		}
	}
}
