package projector

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	reportEvery = 2 * time.Second    // what an instance says of its shards, at most; a new state is told at once
	repeatEvery = 10 * time.Second   // what was said, so that it is known to be true still
	staleAfter  = 30 * time.Second   // what was said counts no more: its instance is taken for dead
	lookEvery   = 10 * time.Second   // at the journals of shards that do not read them
	lastWord    = 2 * time.Second    // to take back what was said
	forgetAfter = 7 * 24 * time.Hour // acts but erasures are removed from the control table; who has not done one by then never does
)

// report tells the other instances what the shards held here are doing.
func (r *Runner) report(ctx context.Context) {
	key := r.statusKey()
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	looked, spoke := time.Now(), time.Time{}
	var said []Status
	for {
		all := r.Status()
		if len(all) > 0 && (!sameStatus(said, all) || time.Since(spoke) >= repeatEvery) || len(all) == 0 && len(said) > 0 {
			if r.say(ctx, key, all) {
				said, spoke = all, time.Now()
			}
		}
		select {
		case <-ctx.Done():
			last, end := context.WithTimeout(context.WithoutCancel(ctx), lastWord)
			defer end()
			if len(said) > 0 {
				r.say(last, key, nil)
			}
			return
		case <-r.stirred:
		case <-tick.C:
		}
		if time.Since(looked) >= lookEvery {
			looked = time.Now()
			r.each(func(h *held) { h.progress.look(ctx) })
			r.forget(ctx)
		}
	}
}

// forget removes acts that are so old that nobody waits for them. An erasure stays: rows that come back after any time, as of an instance that was away
// or of a backup, have the erased person in them, and what is to be done about it must be there when they do.
func (r *Runner) forget(ctx context.Context) {
	for _, a := range r.orders.Load().acts {
		if a.Kind == actErase || r.config.Now().Sub(a.When) < forgetAfter {
			continue
		}
		if _, err := r.config.Control.Put(ctx, a.key, nil); err != nil {
			return // there is time
		}
	}
}

// statusKey is where this runner says what its shards do. Generations that run side by side have one each.
func (r *Runner) statusKey() string {
	return statusKeys + r.d.String() + "/" + r.config.Instance + "/" + strconv.Itoa(r.config.Generation)
}

// plainInstance takes the generation off what follows the projection in such a key.
func plainInstance(rest string) string {
	if i := strings.LastIndexByte(rest, '/'); i >= 0 {
		return rest[:i]
	}
	return rest
}

// silent tells that an entry is of an instance that has died, or is cut off.
func silent(e Entry, now time.Time) bool { return now.Sub(e.Time) > staleAfter }

// say writes what is to be known of the shards here; none: that there are none.
func (r *Runner) say(ctx context.Context, key string, all []Status) bool {
	var value []byte
	if len(all) > 0 {
		var err error
		if value, err = json.Marshal(statusRecord{Format: controlFormat, When: r.config.Now().UTC(), Shards: all}); err != nil {
			r.config.Logger.ErrorContext(ctx, "the state of the shards cannot be written down", "projection", r.d.String(), "error", err)
			return false
		}
	}
	if _, err := r.config.Control.Put(ctx, key, value); err != nil {
		if ctx.Err() == nil {
			r.config.Logger.WarnContext(ctx, "the state of the shards cannot be told to other instances, trying again", "projection", r.d.String(), "error", err)
		}
		return false
	}
	return true
}

// sameStatus tells whether there is nothing new to say.
func sameStatus(a, b []Status) bool {
	return slices.EqualFunc(a, b, func(a, b Status) bool {
		same := a.Shard == b.Shard && a.Standby == b.Standby && a.State == b.State && a.Reason == b.Reason && a.At == b.At && a.Lag == b.Lag && a.Parked == b.Parked &&
			a.Acts == b.Acts && slices.Equal(a.Checkpoint, b.Checkpoint) && a.Applied == b.Applied && a.Since.Equal(b.Since) && len(a.Letters) == len(b.Letters)
		for kind, n := range a.Letters {
			same = same && b.Letters[kind] == n
		}
		return same
	})
}

// look asks the journals how far they are, where nobody reads them.
func (p *progress) look(ctx context.Context) {
	p.mu.Lock()
	away := p.known.State == Paused || p.known.State == Stopped || p.known.State == Retrying
	p.mu.Unlock()
	if !away {
		return
	}
	ctx, end := context.WithTimeout(ctx, reportEvery)
	defer end()
	for i, s := range p.shard.Sources {
		look, err := p.runner.journalOf(&p.shard).Look(ctx, s)
		if err != nil {
			return // the next look may tell
		}
		p.mu.Lock()
		if p.high[i] = look.High; p.oldest.IsZero() && p.lagLocked() > 0 {
			p.oldest = p.runner.config.Now() // not known better
		}
		p.mu.Unlock()
	}
}
