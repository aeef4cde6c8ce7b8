package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// reader reads all totals again and again, whichever version serves, and checks each answer: no deposit that was committed before it asked is missing,
// and none is there twice.
type reader struct {
	stop  context.CancelFunc
	ended chan struct{} // closed when it has returned

	mu      sync.Mutex // guards what follows
	least   int64      // sum of what is committed
	most    int64      // sum of what was asked for
	at      map[string]muster.Position
	answers map[string]int // by version
	latest  string         // the version that answered last
	err     error          // what was wrong
}

func (r *reader) start(ctx context.Context, view *projector.View[total], from projector.Reader, sum int64, at map[string]muster.Position) {
	ctx, r.stop = context.WithCancel(ctx)
	r.ended, r.least, r.most, r.at = make(chan struct{}), sum, sum, maps.Clone(at)
	go func() {
		defer close(r.ended)
		for ctx.Err() == nil && r.read(ctx, view, from) {
		}
	}()
}

// read asks once, and tells whether to go on.
func (r *reader) read(ctx context.Context, view *projector.View[total], from projector.Reader) bool {
	r.mu.Lock()
	least, at := r.least, slices.Collect(maps.Values(r.at))
	r.mu.Unlock()
	page, err := view.Scan(ctx, from, projector.AtVersion(0), projector.AtLeast(at...)) // 0: the version that serves
	var sum int64
	for _, row := range page.Rows {
		sum += row.Value.In
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return false
	case err != nil:
		r.err = err
	case sum < least || sum > r.most:
		r.err = fmt.Errorf("%s answers that %s came in, want %s to %s", page.View, money(sum), money(least), money(r.most))
	}
	r.answers[page.View]++
	r.latest = page.View
	return r.err == nil
}

// expect says that a deposit may come.
func (r *reader) expect(amount int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.most += amount
}

// committed says that it has come.
func (r *reader) committed(amount int64, at muster.Position) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.least += amount
	r.at["ada"] = at
}

// await returns when a version has answered last.
func (r *reader) await(ctx context.Context, version string) error {
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		r.mu.Lock()
		latest, err := r.latest, r.err
		r.mu.Unlock()
		if err != nil || latest == version {
			return err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("the reader is answered by %q, not by %s: %w", latest, version, ctx.Err())
		}
	}
}

// end stops it, and gives what was wrong.
func (r *reader) end() error {
	if r.stop == nil {
		return nil
	}
	r.stop()
	<-r.ended
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}
