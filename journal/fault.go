package journal

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
)

// What a call of this package answers when it cannot do its work, wrapped with directory, group, partition and the next step.
var (
	// ErrFull: the file system of the state directory has no room. Nothing that was acknowledged is lost: the journal has it.
	ErrFull = errors.New("disk full")
	// ErrStore: the store cannot be read or written, for another reason than ErrFull and ErrCorrupt.
	ErrStore = errors.New("state store failed")
	// ErrCorrupt: rows of the partition cannot be read back. Drop them with [GroupStore.Reset] and fold the journal again.
	ErrCorrupt = errors.New("stored state is corrupt")
	// ErrLocked: another process, or another Store of this one, has the state directory open.
	ErrLocked = errors.New("state directory is in use")
	// ErrOrder: the changes would move a partition back, or store a state the checkpoint does not cover. Nothing was written.
	ErrOrder = errors.New("changes out of order")
	// ErrClosed: the store is closed or closing.
	ErrClosed = errors.New("state store is closed")
)

// fault is an error with everything an operator asks first: which directory, doing what, what happened, what next.
type fault struct {
	kind  error // one of the above
	dir   string
	doing string // "load a state of accounts[3]"; no ids
	cause error
	next  string
}

// Error gives directory, what was tried, kind, cause and the next step.
func (f *fault) Error() string {
	text := fmt.Sprintf("state directory %s: %s: %v", f.dir, f.doing, f.kind)
	if f.cause != nil {
		text += ": " + f.cause.Error()
	}
	return text + "; " + f.next
}

// Unwrap gives kind and cause to errors.Is and errors.As.
func (f *fault) Unwrap() []error {
	if f.cause == nil {
		return []error{f.kind}
	}
	return []error{f.kind, f.cause}
}

const (
	nextFull    = "free space on that file system, then restart: state is read back from the journal where it stopped"
	nextWait    = "free space on that file system; storing goes on by itself"
	nextFailed  = "mend the disk or set another directory, then restart: state is read back from the journal"
	nextRead    = "try again; if it stays, mend the disk or set another directory and restart"
	nextCorrupt = "reset the partition: it is folded anew from the journal"
	nextLocked  = "stop the other process, or give each process a directory of its own"
	nextClosed  = "open the store again"
)

// isFull tells a lack of room from other failures of the disk.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// readFault classifies what a read of Pebble answered.
func readFault(dir, doing string, err error) error {
	if isCorrupt(err) {
		return &fault{kind: ErrCorrupt, dir: dir, doing: doing, cause: err, next: nextCorrupt}
	}
	return &fault{kind: ErrStore, dir: dir, doing: doing, cause: err, next: nextRead}
}

// errUndecodable marks a row that Pebble gave back whole, but that no decoder of ours accepts.
var errUndecodable = errors.New("undecodable row")

func undecodable(err error) error { return fmt.Errorf("%w: %w", errUndecodable, err) }

func isCorrupt(err error) bool {
	return errors.Is(err, errUndecodable) || pebble.IsCorruptionError(err)
}
