package journal

import (
	"errors"

	"github.com/seed-3eec0498/muster/internal/disk"
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

// newFault gives an error with everything an operator asks first.
func (s *Store) newFault(kind error, doing string, cause error, next string) error {
	return &disk.Fault{Kind: kind, Directory: words.Directory, Dir: s.cfg.dir(), Doing: doing, Cause: cause, Next: next}
}

// undecodable marks a row that Pebble gave back whole, but that no decoder of ours accepts.
func undecodable(err error) error { return disk.Undecodable(err) }
