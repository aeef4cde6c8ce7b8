package sim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/internal/history"
	"github.com/seed-3eec0498/muster/service"
)

// erasures is what has been asked to be erased.
type erasures struct {
	under sync.WaitGroup // way

	mu  sync.Mutex // guards what follows
	all map[string]*erasure
}

// erasure is that of one subject. The zero times say that it has not come to that.
type erasure struct {
	id     string // on the ledger
	asked  time.Time
	purged time.Time // when the caller was told that everybody had acknowledged
}

// grace is for how long a process may use a key that it has not heard the end of. Everything else of an erasure is over when it is purged.
// A run is too short for a twentieth of the default.
const grace = 200 * time.Millisecond

// over tells that nothing of an erased subject opens for what begins at a time.
func (w *world) over(e *erasure, at time.Time) bool {
	return !e.purged.IsZero() && !at.Before(e.purged.Add(w.settings.slow(grace)))
}

// sure tells that the time has passed in which keys of anybody erased may be used.
func (a *erasures) sure(w *world) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.all {
		if !e.purged.IsZero() && !w.over(e, time.Now()) {
			return false
		}
	}
	return true
}

// of gives what is known now of the erasure of a subject; nil where nobody has asked for it.
func (a *erasures) of(subject string) *erasure {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e := a.all[subject]; e != nil {
		known := *e
		return &known
	}
	return nil
}

func (a *erasures) note(subject string, note func(*erasure)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all == nil {
		a.all = map[string]*erasure{}
	}
	if a.all[subject] == nil {
		a.all[subject] = &erasure{}
	}
	note(a.all[subject])
}

// final gives the erasures of those of whom anything was written, with nil of all. What is read of people from then on is read by those who remember nothing, hence without a grace.
func (a *erasures) final(wrote map[string]bool) (all []history.Erasure) {
	a.mu.Lock()
	defer a.mu.Unlock()
	all = []history.Erasure{}
	for subject, e := range a.all {
		if wrote == nil || wrote[subject] {
			all = append(all, history.Erasure{Subject: subject, Told: e.purged})
		}
	}
	return all
}

// erase asks for an erasure until that stands. Whether everybody carries it out is waited for beside the work.
func (w *world) erase(ctx context.Context, p *process, subject string) {
	var last error
	for ; ctx.Err() == nil; pause(ctx, retryPause) {
		privacy := p.privacy()
		if privacy == nil {
			continue
		}
		if last = joined(ctx, privacy); last != nil {
			continue
		}
		w.erasures.note(subject, func(e *erasure) {
			if e.asked.IsZero() {
				e.asked = time.Now()
			}
		})
		var e crypto.Erasure
		e, last = privacy.Erase(ctx, subject, "asked", p.name)
		if last != nil {
			continue
		}
		w.note("%s has asked for the erasure of %s", p.name, subject)
		if len(e.Owed) != 2*partitions {
			w.fault("I12: the erasure of %s wants the acknowledgements %v; those of %d partitions and %d shards were to be expected", subject, e.Owed, partitions, partitions)
		}
		w.erasures.note(subject, func(known *erasure) { known.id = e.ID })
		w.erasures.under.Go(func() { w.purged(ctx, p, subject) })
		return
	}
	w.fault("I10: the erasure of %s could not be asked for: %v", subject, last)
}

// purged waits until an erasure is.
func (w *world) purged(ctx context.Context, p *process, subject string) {
	var last error
	for ; ctx.Err() == nil; pause(ctx, retryPause) {
		privacy := p.privacy()
		if privacy == nil {
			continue
		}
		waiting, cancel := context.WithTimeout(ctx, w.settings.slow(callTimeout)) // the process may be another one by then
		_, last = privacy.Await(waiting, subject, crypto.ErasurePurged)
		cancel()
		if last == nil {
			w.erasures.note(subject, func(e *erasure) {
				if e.purged.IsZero() {
					e.purged = time.Now()
				}
			})
			w.note("everything of %s is erased", subject)
			return
		}
	}
	w.fault("I10: the erasure of %s never came to its end: %v", subject, last)
}

// verify has owners and views prove what is theirs of all erasures, until each partition and shard was looked into by one of them.
func (w *world) verify(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, w.settings.Within)
	defer cancel()
	for _, e := range w.erasures.final(nil) {
		if err := persist(ctx, func() error { return w.proven(ctx, e.Subject) }); err != nil {
			w.fault("I12: the erasure of %s is not proven: %v", e.Subject, err)
		}
	}
}

func (w *world) proven(ctx context.Context, subject string) error {
	var blind map[crypto.Duty]bool // nobody has looked there yet; nil before the first has
	for _, name := range everybodyOwning() {
		privacy := w.process(name).privacy()
		if privacy == nil {
			return errDown
		}
		v, err := privacy.VerifyErased(ctx, subject)
		if err != nil {
			return err
		}
		for _, found := range v.Faults {
			w.fault("I12: after the erasure of %s, at %s: %s", subject, name, found)
		}
		if blind == nil {
			blind = map[crypto.Duty]bool{}
			for _, d := range v.Erasure.Owed {
				blind[d] = true
			}
		}
		mine := map[crypto.Duty]bool{}
		for _, u := range v.Unseen {
			mine[u.Duty] = true
		}
		for d := range blind {
			if d.Service == w.process(name).service && !mine[d] {
				delete(blind, d)
			}
		}
	}
	if len(blind) > 0 {
		return fmt.Errorf("nobody can look into %v", slices.Collect(maps.Keys(blind)))
	}
	return nil
}

func (p *process) privacy() *service.Privacy {
	if l := p.current(); l != nil {
		return l.Privacy()
	}
	return nil
}

var errNotJoined = errors.New("owners and views have not joined the ledger")

// joined tells that owners and views stand on the ledger: an erasure from before would not wait for them.
func joined(ctx context.Context, privacy *service.Privacy) error {
	if err := privacy.Ledger().Sync(ctx); err != nil {
		return err
	}
	if _, records := privacy.Ledger().Head(); records < 2 {
		return errNotJoined
	}
	return nil
}
