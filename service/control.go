package service

import (
	"context"

	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/projector"
)

// control implements [projector.Control] with the control topic of the service.
type control struct{ table *consumer.Table }

// Put implements [projector.Control].
func (c control) Put(ctx context.Context, key string, value []byte) (int64, error) {
	number, err := c.table.Put(ctx, key, value)
	return number + 1, err // offsets begin with 0, which says that there is none
}

// Entries implements [projector.Control].
func (c control) Entries() (map[string]projector.Entry, <-chan struct{}) {
	entries, changed := c.table.Entries()
	all := make(map[string]projector.Entry, len(entries))
	for key, e := range entries {
		all[key] = projector.Entry{Value: e.Value, Number: e.Number + 1, Time: e.Time}
	}
	return all, changed
}

// Sync implements [projector.Control].
func (c control) Sync(ctx context.Context) error { return c.table.Sync(ctx) }
