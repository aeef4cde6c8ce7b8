package service

import (
	"sync"
	"time"
)

// clock follows the system's clock while that moves evenly. A jump beyond the tolerance is not followed: deadlines that other processes
// set must not expire because somebody set this machine's clock.
type clock struct {
	read func() time.Time

	mu   sync.Mutex // guards base and last
	base time.Time  // the reading before, with its monotonic part
	last time.Time  // what was given for it
}

// jump is how far wall clock and monotonic clock may move apart between two readings before it counts as a jump.
const jump = 2 * time.Second

func newClock(read func() time.Time) *clock {
	now := read()
	return &clock{read: read, base: now, last: now.Round(0)}
}

// Now gives the time in UTC, in whole microseconds, never earlier than the time it gave before.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	reading := c.read()
	now, wall := c.last.Add(reading.Sub(c.base)), reading.Round(0)
	if drift := wall.Sub(now); drift > -jump && drift < jump && wall.After(c.last) {
		now = wall
	}
	c.base, c.last = reading, now
	return now.UTC().Truncate(time.Microsecond)
}
