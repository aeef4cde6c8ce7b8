package service

import (
	"context"
	"math/rand/v2"
	"time"
)

// pause is a growing wait between tries, with jitter, so that many partitions that failed together do not come back together.
type pause struct{ next time.Duration }

// wait sleeps for the next pause and reports false when ctx ended first.
func (p *pause) wait(ctx context.Context) bool {
	if p.next == 0 {
		p.next = retryPause
	}
	timer := time.NewTimer(p.next/2 + rand.N(p.next/2))
	defer timer.Stop()
	p.next = min(2*p.next, retryPauseTop)
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
