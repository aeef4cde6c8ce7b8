package service

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/projector"
)

// control implements [projector.Control] with the control topic of the service.
//
// The number of an entry is its offset on a base. Shards keep the number of the last act they have done, and a topic that is deleted and made again
// begins with offset 0: without a base, what is ordered then would be taken for done. So whoever finds none in the topic writes one, the time in
// milliseconds: offsets do not grow as fast as that.
type control struct{ table *consumer.Table }

// baseKeys are the keys of bases; each has one of its own, so that compaction keeps them all. An entry's base is the highest in front of it.
const baseKeys = "base/"

// bases are those of a table, in the order they were written.
type bases []struct{ at, base int64 }

func basesOf(entries map[string]consumer.TableEntry) (all bases) {
	for key, e := range entries {
		if !strings.HasPrefix(key, baseKeys) {
			continue
		}
		if base, err := strconv.ParseInt(string(e.Value), 10, 64); err == nil {
			all = append(all, struct{ at, base int64 }{e.Number, base})
		}
	}
	slices.SortFunc(all, func(a, b struct{ at, base int64 }) int { return cmp.Compare(a.at, b.at) })
	return all
}

// number gives that of the entry at an offset. It is above 0, which says that there is none.
func (b bases) number(offset int64) int64 {
	top := int64(0)
	for _, one := range b {
		if one.at <= offset {
			top = max(top, one.base)
		}
	}
	return top + offset + 1
}

// begin sees to it that the table has a base.
func (c control) begin(ctx context.Context, now time.Time) error {
	entries, _ := c.table.Entries()
	if len(basesOf(entries)) > 0 {
		return nil
	}
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	if _, err := c.table.Put(ctx, baseKeys+id.String(), strconv.AppendInt(nil, now.UnixMilli(), 10)); err != nil {
		return err
	}
	return c.table.Sync(ctx)
}

// Put implements [projector.Control].
func (c control) Put(ctx context.Context, key string, value []byte) (int64, error) {
	offset, err := c.table.Put(ctx, key, value)
	if err != nil {
		return 0, err
	}
	entries, _ := c.table.Entries()
	return basesOf(entries).number(offset), nil
}

// Entries implements [projector.Control].
func (c control) Entries() (map[string]projector.Entry, <-chan struct{}) {
	entries, changed := c.table.Entries()
	numbers := basesOf(entries)
	all := make(map[string]projector.Entry, len(entries))
	for key, e := range entries {
		if !strings.HasPrefix(key, baseKeys) {
			all[key] = projector.Entry{Value: e.Value, Number: numbers.number(e.Number), Time: e.Time}
		}
	}
	return all, changed
}

// Sync implements [projector.Control].
func (c control) Sync(ctx context.Context) error { return c.table.Sync(ctx) }
