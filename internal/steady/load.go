package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/service"
)

// caller makes one call after the other on accounts that are its alone, and so knows what has to be in them.
type caller struct {
	w        *world
	accounts []string
	wanted   map[string]account // of both groups; the account's name is in front of the group's
	answered *atomic.Int64
}

func accountName(n int) string { return fmt.Sprintf("acc-%05d", n) }

// load runs the callers for as long as is asked for, samples and trims meanwhile, and gives the samples.
func (w *world) load(ctx context.Context) (samples []sample, err error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	calling, rest := context.WithTimeout(ctx, w.cfg.during)
	defer rest()
	var answered atomic.Int64
	callers := make([]*caller, w.cfg.clients)
	for i := range callers {
		callers[i] = &caller{w: w, wanted: map[string]account{}, answered: &answered}
	}
	for n := range w.cfg.accounts {
		c := callers[n%len(callers)]
		c.accounts = append(c.accounts, accountName(n))
	}
	w.say("%d calls per second for %v, on %d accounts of each of two groups", w.cfg.rate, w.cfg.during, w.cfg.accounts)
	var working sync.WaitGroup
	turns := make(chan struct{})
	for _, c := range callers {
		working.Go(func() { c.work(ctx, turns, stop) })
	}
	working.Go(func() { w.pace(calling, turns) })
	working.Go(func() { w.trims(calling, stop) })
	samples, err = w.samples(calling, &answered)
	working.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	w.wanted = map[string]account{}
	for _, c := range callers {
		for name, a := range c.wanted {
			w.wanted[name] = a
		}
	}
	w.answered = answered.Load()
	return samples, err
}

// pace hands out turns at the rate until ctx ends. Turns nobody takes in time are lost: a load that cannot be carried is not made up for.
func (w *world) pace(ctx context.Context, turns chan<- struct{}) {
	defer close(turns)
	tick := time.NewTicker(time.Second / time.Duration(w.cfg.rate))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		select {
		case turns <- struct{}{}:
		case <-ctx.Done():
			return
		}
	}
}

// work makes a call for each turn. A call that was begun is ended, so that what is wanted is known.
func (c *caller) work(ctx context.Context, turns <-chan struct{}, stop context.CancelCauseFunc) {
	for range turns {
		to, name := c.w.all, c.accounts[rand.IntN(len(c.accounts))]
		if rand.IntN(2) == 0 {
			to = c.w.latest
		}
		if err := c.call(ctx, to, name); err != nil {
			stop(fmt.Errorf("a call of %s: %w", to.group.Name(), err))
			return
		}
	}
}

// call deposits and is sent again under its id until the outcome is known.
func (c *caller) call(ctx context.Context, to *ledger, name string) error {
	id, in := uuid.NewString(), deposit{rand.Int64N(100), newNote()}
	for {
		got, err := to.deposit.Call(ctx, c.w.owner(to).Client(), name, in, muster.CommandID(id), muster.Timeout(10*time.Second))
		if err == nil {
			key := to.group.Name() + "/" + name
			want := c.wanted[key].plus(in)
			if got != want {
				return fmt.Errorf("account %s answers balance %d of %d entries, want %d of %d", name, got.Balance, got.Entries, want.Balance, want.Entries)
			}
			c.wanted[key] = want
			c.answered.Add(1)
			return nil
		}
		again := errors.Is(err, muster.ErrOutcomeUnknown) || errors.Is(err, muster.ErrExpired) || muster.CodeOf(err) == muster.Unavailable
		if ctx.Err() != nil || !again {
			return err
		}
	}
}

// trims takes away all but the newest events of each account, again and again.
func (w *world) trims(ctx context.Context, stop context.CancelCauseFunc) {
	tick := time.NewTicker(w.cfg.trim)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		done, err := w.keeper.Trim(ctx, w.all.group, service.TrimOptions{Keep: 2})
		w.trimmed += done.Events
		if err != nil && ctx.Err() == nil && !errors.Is(err, service.ErrTrimBusy) {
			stop(err)
			return
		}
	}
}

// samples looks at everything until ctx ends.
func (w *world) samples(ctx context.Context, answered *atomic.Int64) (all []sample, err error) {
	tick := time.NewTicker(w.cfg.every)
	defer tick.Stop()
	began, calls, last := time.Now(), int64(0), time.Now()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return all, nil
		}
		s, err := w.look(ctx, time.Since(began))
		if ctx.Err() != nil {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		now := answered.Load()
		s.Calls = float64(now-calls) / time.Since(last).Seconds()
		calls, last = now, time.Now()
		all = append(all, s)
		if len(all)%12 == 0 {
			w.say("%5.0f s: %4.0f calls/s, %4.0f MiB resident, %3.0f MiB live, %3.0f goroutines, %3.0f files, %5.1f MiB of tables, %5.1f MiB of logs, %5.1f MiB of journals, %d events trimmed",
				s.Seconds, s.Calls, s.Resident, s.Live, s.Goroutines, s.Files, s.Tables, s.Logs, s.Journals, w.trimmed)
		}
	}
}
