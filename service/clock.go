package service

import (
	"sync"
	"time"
)

// clock follows the system's clock while that moves evenly. A jump beyond the tolerance is not followed at once: deadlines that other
// processes set must not expire because somebody set this machine's clock for a moment. A difference that lasts is what the machine's time is
// now; it is taken over, forward or back.
type clock struct {
	read func() time.Time

	mu    sync.Mutex    // guards what follows
	base  time.Time     // the reading before, with its monotonic part
	last  time.Time     // what was given for it
	apart time.Duration // for how long wall clock and this one have differed by a jump
}

const (
	// jump is how far wall clock and monotonic clock may move apart between two readings before it counts as a jump.
	jump = 2 * time.Second
	// lasting is for how long a jump must last to be followed.
	lasting = 5 * time.Minute
)

func newClock(read func() time.Time) *clock {
	now := read()
	return &clock{read: read, base: now, last: now.Round(0)}
}

// Now gives the time in UTC, in whole microseconds; never earlier than the time it gave before, but for a jump back that lasted.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	reading := c.read()
	elapsed := reading.Sub(c.base)
	now, wall := c.last.Add(elapsed), reading.Round(0)
	switch drift := wall.Sub(now); {
	case drift > -jump && drift < jump:
		c.apart = 0
		if wall.After(c.last) {
			now = wall
		}
	case c.apart+elapsed >= lasting:
		c.apart, now = 0, wall
	default:
		c.apart += elapsed
	}
	c.base, c.last = reading, now
	return now.UTC().Truncate(time.Microsecond)
}
