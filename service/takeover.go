package service

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-3eec0498/muster"
)

// takeovers tell how long nobody served a partition, as its callers saw it: the wait of the oldest command that was there when it began to be
// served here. When another instance lost it is known to nobody else.
type takeovers struct {
	open atomic.Int32 // partitions in since; so that a lane need not lock for every batch

	mu    sync.Mutex          // guards since
	since map[int32]time.Time // served from then on, and no batch yet
}

// serves notes that a partition is served from now on.
func (t *takeovers) serves(p int32, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.since == nil {
		t.since = map[int32]time.Time{}
	}
	t.since[p] = now
	t.open.Store(int32(len(t.since)))
}

// began gives the waits of partitions whose first batch since they are served this is; none for those in which nothing waited.
func (t *takeovers) began(cmds []muster.Command, now time.Time) []time.Duration {
	if t.open.Load() == 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var waits []time.Duration
	for i := range cmds {
		p := cmds[i].Partition
		if i > 0 && p == cmds[i-1].Partition { // a partition's commands lie together
			continue
		}
		since, first := t.since[p]
		if !first {
			continue
		}
		delete(t.since, p)
		if sent := cmds[i].Time; sent.Before(since) {
			waits = append(waits, max(0, now.Sub(sent)))
		}
	}
	t.open.Store(int32(len(t.since)))
	return waits
}
