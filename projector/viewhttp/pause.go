package viewhttp

import (
	"context"
	"math/rand/v2"
	"time"
)

// pause is the wait between tries: it doubles up to the top, and has jitter so that many do not come back at one moment.
type pause struct{ first, top time.Duration }

// wait returns after the pause behind try n, counted from 0, or false when ctx ends first.
func (p pause) wait(ctx context.Context, n int) bool {
	limit := p.top
	if n < 16 {
		limit = min(p.first<<n, p.top)
	}
	timer := time.NewTimer(limit/2 + rand.N(limit/2+1))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
