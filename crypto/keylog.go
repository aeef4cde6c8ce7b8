package crypto

import (
	"context"
	"sync"
)

// KeyLog is what [OpenTopicKeys] needs of a compacted topic: partitions of records, of which the last of each key is kept for ever. It is written outside
// of transactions. All methods may be called at once.
type KeyLog interface {
	// Partitions gives how many partitions there are, for life.
	Partitions() int32
	// Append adds a record and gives its offset, when every in-sync replica has it. After an error it may have been added all the same. A nil value lets
	// compaction forget the key.
	Append(ctx context.Context, partition int32, key, value []byte) (offset int64, err error)
	// End gives, for each partition, the offset behind the last record that was acknowledged to anybody before the call (the high watermark).
	End(ctx context.Context) ([]int64, error)
	// Follow calls record with every record of all partitions from these offsets on, in the order of each partition, and next when everything below an
	// offset of a partition was given, both in one goroutine, until ctx ends or reading fails. Key and value are not changed later.
	Follow(ctx context.Context, from []int64, record func(partition int32, offset int64, key, value []byte), next func(partition int32, next int64)) error
}

// KeyCopy keeps what a process knows of a [KeyLog]: a row of bytes for each subject. One goroutine writes, several read beside it. What Get and Scan give
// is not changed.
type KeyCopy interface {
	Get(subject SubjectRef) ([]byte, error) // nil: none
	Put(subject SubjectRef, row []byte) error
	// Scan calls f with every row there was at the call, in any order, until f gives an error, and gives that.
	Scan(f func(row []byte) error) error
}

// memoryCopy is a copy in memory. A subject with one key takes about 300 bytes: BenchmarkKeyCopy measures it.
type memoryCopy struct {
	mu   sync.RWMutex // guards rows
	rows map[SubjectRef][]byte
}

// NewMemoryCopy gives a copy in memory, which grows with the number of subjects: about 300 MB for a million with one key each.
func NewMemoryCopy() KeyCopy { return &memoryCopy{rows: map[SubjectRef][]byte{}} }

// Get implements [KeyCopy].
func (c *memoryCopy) Get(subject SubjectRef) ([]byte, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.rows[subject], nil
}

// Put implements [KeyCopy].
func (c *memoryCopy) Put(subject SubjectRef, row []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rows[subject] = row
	return nil
}

// Scan implements [KeyCopy].
func (c *memoryCopy) Scan(f func(row []byte) error) error {
	c.mu.RLock()
	rows := make([][]byte, 0, len(c.rows))
	for _, row := range c.rows {
		rows = append(rows, row)
	}
	c.mu.RUnlock()
	for _, row := range rows {
		if err := f(row); err != nil {
			return err
		}
	}
	return nil
}
