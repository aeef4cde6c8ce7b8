package sim

import (
	"sync/atomic"
	"time"
	"unsafe"
)

// wallClock is a machine's clock: its wall can be set, its monotonic part goes on as it did.
type wallClock struct{ by atomic.Int64 }

// set moves the wall by whole seconds.
func (c *wallClock) set(by time.Duration) { c.by.Add(int64(by / time.Second)) }

// now reads it. The standard library has no way to make such a reading, so this changes the seconds where they lie: 33 bits from bit 30 of the
// first word.
func (c *wallClock) now() time.Time {
	now := time.Now()
	*(*uint64)(unsafe.Pointer(&now)) += uint64(c.by.Load()) << 30
	return now
}
