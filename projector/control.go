package projector

import (
	"context"
	"time"
)

// Control is the record of what operators want and of what instances tell each other: a small table that all instances of a service see, in the
// order it was written. The service implements it with a compacted topic; [NewMemoryControl] is one for tests.
type Control interface {
	// Put writes an entry and returns its number when it is durable; a nil value removes the key. Numbers grow.
	Put(ctx context.Context, key string, value []byte) (number int64, err error)
	// Entries gives the table as far as it is known here, and a channel that is closed when there is more.
	Entries() (entries map[string]Entry, changed <-chan struct{})
	// Sync returns when everything written before the call is in Entries.
	Sync(ctx context.Context) error
}

// Entry is one value of the control table.
type Entry struct {
	Value  []byte
	Number int64
	Time   time.Time
}
