package crypto

import (
	"context"
	"slices"
	"sync"
)

// LedgerLog is where the records of an erasure ledger lie: one order for all processes, nothing ever removed. In production it is a topic of one
// partition, `<key space>.erasures`, in another failure domain than the key store.
type LedgerLog interface {
	// Append adds a record and gives its number; later ones have higher numbers. It is durable when this returns. After an error the record may
	// be there or not. A key is never used twice.
	Append(ctx context.Context, key string, value []byte) (number int64, err error)
	// Read calls f with every record numbered from or higher, in order, up to the end of the log as of this call at least, until f returns an error,
	// and returns that. The value must not be changed.
	Read(ctx context.Context, from int64, f func(number int64, value []byte) error) error
	// Changed gives a channel that is closed when there may be more than the last Read has given.
	Changed() <-chan struct{}
}

// MemoryLedgerLog is a [LedgerLog] that ends with the process, for tests and development. The zero value is empty.
type MemoryLedgerLog struct {
	mu      sync.Mutex // guards what follows
	records [][]byte
	changed chan struct{}
}

// Append implements [LedgerLog].
func (l *MemoryLedgerLog) Append(ctx context.Context, _ string, value []byte) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = append(l.records, slices.Clone(value))
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
	return int64(len(l.records) - 1), nil
}

// Read implements [LedgerLog].
func (l *MemoryLedgerLog) Read(ctx context.Context, from int64, f func(number int64, value []byte) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	records := l.records
	l.mu.Unlock()
	for n := max(from, 0); n < int64(len(records)); n++ {
		if err := f(n, records[n]); err != nil {
			return err
		}
	}
	return nil
}

// Changed implements [LedgerLog].
func (l *MemoryLedgerLog) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.changed
}
