package crypto

import (
	"context"
	"slices"
	"sync"
)

// NewMemoryKeys gives a key store that lives as long as the process: for tests and examples, because what was sealed cannot be opened by the next one.
func NewMemoryKeys() KeyStore { return KeysIn(newMemoryRows()) }

// memoryRows are rows in memory.
type memoryRows struct {
	mu       sync.Mutex // guards all
	rows     map[SubjectRef][]byte
	place    int64
	watchers rowWatchers
	save     func() error // makes what is in rows durable, with mu held; nil when there is nothing to do
}

func newMemoryRows() *memoryRows {
	return &memoryRows{rows: map[SubjectRef][]byte{}}
}

// Get implements [Rows].
func (m *memoryRows) Get(ctx context.Context, subject SubjectRef) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rows[subject], ctx.Err() // rows are replaced, never changed
}

// Update implements [Rows].
func (m *memoryRows) Update(ctx context.Context, subject SubjectRef, f func([]byte, int64) ([]byte, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	before, there := m.rows[subject]
	after, err := f(before, m.place+1)
	if err != nil || after == nil {
		return err
	}
	m.place++
	m.rows[subject] = after
	if m.save != nil {
		if err := m.save(); err != nil {
			delete(m.rows, subject)
			if there {
				m.rows[subject] = before
			}
			return err
		}
	}
	m.watchers.tell(after, m.place-1)
	return nil
}

// Watch implements [Rows].
func (m *memoryRows) Watch(ctx context.Context, ready func(), f func([]byte, int64)) error {
	w := m.watchers.join()
	defer m.watchers.leave(w)
	ready()
	return w.run(ctx, f)
}

// Scan implements [Rows].
func (m *memoryRows) Scan(ctx context.Context, f func([]byte) error) error {
	m.mu.Lock()
	rows := make([][]byte, 0, len(m.rows))
	for _, row := range m.rows {
		rows = append(rows, row)
	}
	m.mu.Unlock()
	slices.SortFunc(rows, slices.Compare) // the same order every time
	for _, row := range rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := f(row); err != nil {
			return err
		}
	}
	return nil
}
