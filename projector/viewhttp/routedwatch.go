package viewhttp

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// layoutPoll is how often a watch looks whether the view has another version or other holders.
const layoutPoll = time.Second

// errAnew ends the streams of a watch, to begin them anew.
var errAnew = errors.New("the rows come anew")

// Watch watches on all instances that hold rows of the query. When shards move, or another version serves, fn gets a Reset and then the rows as
// they are; it does not get it before they can be read again.
func (r *Router) Watch(ctx context.Context, q projector.Query, fn func(projector.Update) error) error {
	w := &routed{r: r, q: q, fn: fn}
	for try, fails := 0, 0; ; try++ {
		before := w.seen
		l, err := r.r.Directory.Layout(ctx, q.View, q.Version, try > 0 || w.begun)
		if err == nil {
			err = w.once(ctx, &l)
		}
		if w.seen != before {
			try, fails = 0, 0
		}
		fails++
		switch {
		case ctx.Err() != nil:
			return notReached(ctx, ctx.Err(), q.AtLeast)
		case w.given != nil:
			return w.given
		case errors.Is(err, errAnew):
			fails = 0
		case !moved(err) && (!w.begun || !passing(err)):
			return err
		case fails >= r.r.Tries:
			last, _ := faultOf(err)
			return away(ReasonMoved, "view %s cannot be watched now, %d tries found it elsewhere or moving: %s", q.View, fails, last.Message)
		}
		if !r.pause.wait(ctx, try) {
			return ctx.Err()
		}
	}
}

// routed is one watch over the layouts it sees.
type routed struct {
	r     *Router
	q     projector.Query
	fn    func(projector.Update) error
	begun bool // the streams stood once

	mu    sync.Mutex // guards the rest while streams are open: one update is handed on at a time
	seen  int
	given error // by fn
	ended bool  // the streams of this layout are being ended; nothing more is handed on
}

// once watches with one layout, until a stream ends.
func (w *routed) once(ctx context.Context, l *Layout) error {
	groups, err := l.groups(&w.q)
	if err != nil && w.q.Stale {
		groups = []group{{holder: projector.Instance{Name: w.r.r.Self}, shards: orAll(w.q.Shards, l.Shards)}}
	} else if err != nil {
		return err
	}
	if w.begun {
		if err := w.again(ctx, l); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w.ended = false
	var streams sync.WaitGroup
	for _, g := range groups {
		streams.Go(func() { cancel(w.stream(ctx, l, g, len(groups) > 1)) })
	}
	streams.Go(func() { cancel(w.poll(ctx, l)) })
	streams.Wait()
	return context.Cause(ctx)
}

// again waits until the rows can be read, and says then that they come anew.
func (w *routed) again(ctx context.Context, l *Layout) error {
	probe := w.q
	probe.Limit = 1
	if _, err := w.r.attempt(ctx, probe, l); err != nil {
		return err
	}
	w.given = w.fn(projector.Update{Reset: true})
	return w.given
}

// stream watches on one instance.
func (w *routed) stream(ctx context.Context, l *Layout, g group, several bool) error {
	reader, err := w.r.reader(g.holder)
	if err != nil {
		return err
	}
	q := w.q
	q.Version, q.Shards = l.Version, g.shards
	if q.AtLeast, err = l.awaited(&w.q, g.shards); err != nil {
		return err
	}
	err = reader.Watch(ctx, q, func(u projector.Update) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		switch {
		case w.ended || ctx.Err() != nil:
			return errAnew
		case u.Reset && several: // of the rows of one instance, but whoever watches would forget all
			w.ended = true
			return errAnew
		}
		err := w.hand(ctx, l, u, several)
		w.ended = err != nil
		return err
	})
	if err == nil {
		err = errAnew // no stream ends by itself
	}
	return err
}

// hand gives an update to fn. Of a view that merges it is a sign that the row is to be read whole. The caller holds mu.
func (w *routed) hand(ctx context.Context, l *Layout, u projector.Update, several bool) error {
	w.begun = true
	w.seen++
	if !several || l.Merge == nil {
		w.given = w.fn(u)
		return w.given
	}
	page, err := w.r.attempt(ctx, projector.Query{View: w.q.View, Version: l.Version, Key: u.Row.Key, Shards: w.q.Shards, Stale: w.q.Stale}, l)
	if err != nil {
		return err
	}
	u.Deleted = len(page.Rows) == 0
	if !u.Deleted {
		u.Row = page.Rows[0]
	}
	w.given = w.fn(u)
	return w.given
}

// poll looks whether the layout is still the one that is watched.
func (w *routed) poll(ctx context.Context, l *Layout) error {
	timer := time.NewTicker(layoutPoll)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			now, err := w.r.r.Directory.Layout(ctx, w.q.View, w.q.Version, false)
			if muster.CodeOf(err) == muster.NotFound {
				return err
			}
			if err == nil && (now.Version != l.Version || !maps.Equal(now.Holders, l.Holders)) {
				return errAnew
			}
		}
	}
}
