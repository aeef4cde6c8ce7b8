package projector

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// MemoryControl is a [Control] in memory, for tests and for a process that is the only one. It is safe for concurrent use, and ends with the
// process.
type MemoryControl struct {
	mu      sync.Mutex // guards what follows
	entries map[string]Entry
	number  int64
	changed chan struct{}
}

var _ Control = (*MemoryControl)(nil)

// NewMemoryControl makes an empty one.
func NewMemoryControl() *MemoryControl {
	return &MemoryControl{entries: map[string]Entry{}, changed: make(chan struct{})}
}

// Put writes an entry; a nil value removes the key.
func (c *MemoryControl) Put(ctx context.Context, key string, value []byte) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.number++
	if value == nil {
		delete(c.entries, key)
	} else {
		c.entries[key] = Entry{Value: slices.Clone(value), Number: c.number, Time: time.Now()}
	}
	close(c.changed)
	c.changed = make(chan struct{})
	return c.number, nil
}

// Entries gives a copy of the table and a channel that is closed with the next change.
func (c *MemoryControl) Entries() (map[string]Entry, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.entries), c.changed
}

// Sync returns at once: what was written is there.
func (c *MemoryControl) Sync(ctx context.Context) error { return ctx.Err() }
