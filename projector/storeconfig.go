package projector

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seed-3eec0498/muster"
)

// StoreConfig says where the rows of views lie. The zero value keeps everything in memory.
type StoreConfig struct {
	// Views are the views whose shards can be claimed and read, every version that this process knows.
	Views []AnyView
	// Codec encodes and decodes rows. Nil means [muster.PlainCodec].
	Codec muster.Codec

	// Dir is the directory of the store. It is made when missing, belongs to one process at a time, and may be deleted while none runs: the views are
	// built anew then. Empty: the rows are kept in memory and end with the Store.
	Dir string
	// FS is the file system that Dir lies on, for tests. Nil means the machine's.
	FS vfs.FS

	// CacheBytes is the size of the cache of blocks read from disk. Zero means 64 MiB.
	CacheBytes int64
	// WriteBufferBytes is how much is gathered in memory before it is sorted and written out; about twice that is held, beside the cache. Zero
	// means 32 MiB.
	WriteBufferBytes int64
	// ReserveBytes is the free space below which nothing is written any more, so that the rest suffices to write out what is held. Zero means
	// 64 MiB or a tenth of the file system, whichever is less; a negative value means none.
	ReserveBytes int64

	// Logger gets what an operator should know, and Pebble's own lines at debug level; never keys or rows. Nil means silence.
	Logger *slog.Logger
	// Observe hears what the store does.
	Observe StoreObserve
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// StoreObserve hears what a [Store] does; each field may be nil. The functions are called in line: they return at once and call nothing of the
// store.
type StoreObserve struct {
	Committed func(StoreCommitted) // after each batch
	Rebuilt   func(StoreRebuilt)   // rows are given up, for a reason; of a shard it is called before they go
	Failed    func(error)          // the store has failed for good; called once
}

// StoreCommitted is one batch that was committed.
type StoreCommitted struct {
	Projection string // name@version
	Rows       int    // set and deleted
	Entries    int    // of indexes, likewise
	Bytes      int    // handed to Pebble
	Took       time.Duration
}

// StoreRebuilt says that rows were given up, so that they are built anew from the journals.
type StoreRebuilt struct {
	Projection string // name@version; empty for the whole store
	Generation int
	Shard      int32
	Reason     string // one of the Rebuilt constants
	MovedTo    string // where the old directory lies now; of the whole store only
	Cause      error
}

// Why rows, or index entries, were given up. The words are stable: metrics and logs carry them.
const (
	RebuiltCorrupt     = "corrupt"      // damaged, or not readable as what it should be
	RebuiltTampered    = "tampered"     // a row is not what was sealed there
	RebuiltNewerFormat = "newer-format" // written by a newer build
	RebuiltForeign     = "foreign"      // a Pebble store, but not one of this package
	RebuiltIndexes     = "indexes"      // the view has other indexes than before; the entries were made anew from the rows, which stay
)

// Validate reports everything wrong with the settings, joined.
func (c StoreConfig) Validate() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("view store: "+format, args...))
	}
	if c.CacheBytes < 0 {
		fault("CacheBytes %d is negative; zero means 64 MiB", c.CacheBytes)
	}
	if c.WriteBufferBytes != 0 && (c.WriteBufferBytes < 64<<10 || c.WriteBufferBytes > 1<<30) {
		fault("WriteBufferBytes %d; choose 64 KiB to 1 GiB", c.WriteBufferBytes)
	}
	seen := map[string]bool{}
	for i, v := range c.Views {
		if v == nil {
			fault("view %d is nil", i)
			continue
		}
		if name := v.Definition().String(); seen[name] {
			fault("view %s stands there twice; give one of them another name or version", name)
		} else {
			seen[name] = true
		}
	}
	return errors.Join(faults...)
}

func (c *StoreConfig) codec() muster.Codec {
	if c.Codec == nil {
		return muster.PlainCodec{}
	}
	return c.Codec
}

func (c *StoreConfig) logger() *slog.Logger {
	if c.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Logger
}

func (c *StoreConfig) now() func() time.Time {
	if c.Now == nil {
		return time.Now
	}
	return c.Now
}
