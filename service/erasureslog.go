package service

import (
	"cmp"
	"context"
	"slices"

	"github.com/seed-3eec0498/muster/consumer"
)

// erasuresLog implements [crypto.LedgerLog] with the topic of a key space. Every record has a key of its own, so the table holds all of them.
type erasuresLog struct{ table *consumer.Table }

// Append implements [crypto.LedgerLog].
func (l erasuresLog) Append(ctx context.Context, key string, value []byte) (int64, error) {
	return l.table.Put(ctx, key, value)
}

// Read implements [crypto.LedgerLog].
func (l erasuresLog) Read(ctx context.Context, from int64, f func(number int64, value []byte) error) error {
	if err := l.table.Sync(ctx); err != nil {
		return err
	}
	entries, _ := l.table.Entries()
	var rest []consumer.TableEntry
	for _, e := range entries {
		if e.Number >= from {
			rest = append(rest, e)
		}
	}
	slices.SortFunc(rest, func(a, b consumer.TableEntry) int { return cmp.Compare(a.Number, b.Number) })
	for _, e := range rest {
		if err := f(e.Number, e.Value); err != nil {
			return err
		}
	}
	return nil
}

// Changed implements [crypto.LedgerLog].
func (l erasuresLog) Changed() <-chan struct{} {
	_, changed := l.table.Entries()
	return changed
}
