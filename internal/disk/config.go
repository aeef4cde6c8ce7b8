package disk

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Config says where a store lies and what is particular about it. Every field is set.
type Config struct {
	Dir string // as errors name it, also where FS is memory
	FS  vfs.FS

	CacheBytes       int64
	WriteBufferBytes int64
	ReserveBytes     int64 // 0: 64 MiB or a tenth of the file system, whichever is less; negative: none

	Logger *slog.Logger // gets Pebble's own lines, at debug level
	Now    func() time.Time
	Tell   Tell
	Words  Words

	// Show prints a key without what users have put into it.
	Show func(key []byte) fmt.Formatter
	// Check reads the format of an open store, or writes it into a new one. A [Damage] gives the store up.
	Check func(db *pebble.DB) error
}

// Tell hears what happens to the store. The functions return at once and call nothing of it.
type Tell struct {
	Failed     func(*Fault)                            // it has failed for good; called once
	Troubled   func(cause error)                       // a background write has failed and is repeated
	Rotten     func(cause error)                       // corruption was met
	Unmarked   func(cause error)                       // the directory could not be marked for being given up at the next open
	MovedAside func(reason, aside string, cause error) // Open has given a store up
}

// Words are the store's own: what it is called, the errors that tell faults apart, the reasons for giving it up, and what an operator should do.
type Words struct {
	Directory                            string // "state directory"
	Full, Store, Corrupt, Locked, Closed error

	ReasonCorrupt, ReasonNewerFormat, ReasonForeign string

	NextFull    string // the store has failed for lack of room
	NextWait    string // there is no room at the moment
	NextFailed  string // it has failed
	NextRead    string // a read has failed
	NextCorrupt string // what was read is damaged
	NextLocked  string
	NextClosed  string
	NextRestart string // corruption stands in the way of writing
}
