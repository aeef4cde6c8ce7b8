package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Config says where the state lies and how much is remembered. The zero value keeps everything in memory.
type Config struct {
	// Dir is the state directory. It is made when missing, belongs to one process at a time, and may be deleted while none runs.
	// Empty: the state is kept in memory and ends with the Store.
	Dir string
	// FS is the file system that Dir lies on, for tests. Nil means the machine's.
	FS vfs.FS

	// CacheBytes is the size of the cache of blocks read from disk. Zero means 64 MiB.
	CacheBytes int64
	// WriteBufferBytes is how much is gathered in memory before it is sorted and written out; about twice that is held, beside the
	// cache. Zero means 16 MiB.
	WriteBufferBytes int64
	// ReserveBytes is the free space below which nothing is stored any more, so that the rest suffices to write out what is held.
	// Zero means 64 MiB or a tenth of the file system, whichever is less; a negative value means none.
	ReserveBytes int64

	// DedupWindow is how long a command id is remembered, counted in the times of the batches. Zero means 24 h.
	DedupWindow time.Duration
	// DedupIDs is how many command ids are remembered per partition. They take about 20 bytes of memory each while the partition is
	// open. Zero means 1,000,000.
	DedupIDs int

	// Logger gets what an operator should know, and Pebble's own lines at debug level; never ids or states. Nil means silence.
	Logger *slog.Logger
	// Observe hears what the store does.
	Observe Observe
	// Now is the clock that says when a partition was released. Nil means time.Now.
	Now func() time.Time
}

// Observe hears what the store does; each field may be nil. The functions are called in line, partly while locks of the store are held:
// they return at once and call nothing of this package.
type Observe struct {
	Stored  func(Stored)  // after each successful Store
	Rebuilt func(Rebuilt) // rows were given up, for a reason
	Failed  func(error)   // the store has failed for good; called once
}

// Stored is one successful [GroupStore.Store].
type Stored struct {
	Group      string
	Partitions int
	States     int
	Answers    int
	Bytes      int           // handed to Pebble
	Took       time.Duration // including the wait for room
}

// Rebuilt says that rows were dropped, or a whole store moved aside, so that they are built anew from the journal.
type Rebuilt struct {
	Group     string // empty for the whole store
	Partition int32  // -1 for the whole store
	Reason    string // one of the Reason constants, or what [GroupStore.Reset] was given
	MovedTo   string // where the old directory lies now; empty for a partition
	Cause     error  // what was found; nil when there is nothing to add to the reason
}

// Why rows were given up. The words are stable: metrics and logs carry them.
const (
	ReasonCorrupt        = "corrupt"         // damaged, or not readable as what it should be
	ReasonNewerFormat    = "newer-format"    // written by a newer build
	ReasonForeign        = "foreign"         // a Pebble store, but not one of this package
	ReasonRecreatedTopic = "recreated-topic" // the journal topic has another id than the rows were folded from
	ReasonExpired        = "expired"         // released longer than the grace period
)

// Validate reports everything wrong with the settings, joined.
func (c Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("journal: "+format, args...)) }
	if c.CacheBytes < 0 {
		fault("CacheBytes %d is negative; zero means 64 MiB", c.CacheBytes)
	}
	if c.WriteBufferBytes != 0 && (c.WriteBufferBytes < 64<<10 || c.WriteBufferBytes > 1<<30) {
		fault("WriteBufferBytes %d; choose 64 KiB to 1 GiB", c.WriteBufferBytes)
	}
	if c.DedupWindow < 0 {
		fault("DedupWindow %v is negative; zero means 24 h", c.DedupWindow)
	}
	if c.DedupIDs < 0 || c.DedupIDs > 1<<30 {
		fault("DedupIDs %d; choose 1 to 2^30", c.DedupIDs)
	}
	return errors.Join(faults...)
}

func (c *Config) dir() string {
	if c.Dir == "" {
		return "memory"
	}
	return c.Dir
}

func (c *Config) fs() vfs.FS {
	switch {
	case c.FS != nil:
		return c.FS
	case c.Dir == "":
		return vfs.NewMem()
	}
	return vfs.Default
}

func (c *Config) cache() int64       { return or(c.CacheBytes, 64<<20) }
func (c *Config) writeBuffer() int64 { return or(c.WriteBufferBytes, 16<<20) }
func (c *Config) window() int64      { return or(c.DedupWindow, 24*time.Hour).Microseconds() }
func (c *Config) ids() int           { return or(c.DedupIDs, 1_000_000) }

func (c *Config) logger() *slog.Logger {
	if c.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Logger
}

func (c *Config) now() func() time.Time {
	if c.Now == nil {
		return time.Now
	}
	return c.Now
}

func or[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

func (o *Observe) stored(s Stored) {
	if o.Stored != nil {
		o.Stored(s)
	}
}

func (o *Observe) rebuilt(r Rebuilt) {
	if o.Rebuilt != nil {
		o.Rebuilt(r)
	}
}

func (o *Observe) failed(err error) {
	if o.Failed != nil {
		o.Failed(err)
	}
}
