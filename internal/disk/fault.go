package disk

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
)

// Fault is an error with everything an operator asks first: which directory, doing what, what happened, what next.
type Fault struct {
	Kind      error // one of the Words
	Directory string
	Dir       string
	Doing     string // "load a state of accounts[3]"; no ids
	Cause     error
	Next      string
}

// Error gives directory, what was tried, kind, cause and the next step.
func (f *Fault) Error() string {
	text := fmt.Sprintf("%s %s: %s: %v", f.Directory, f.Dir, f.Doing, f.Kind)
	if f.Cause != nil {
		text += ": " + f.Cause.Error()
	}
	return text + "; " + f.Next
}

// Unwrap gives kind and cause to errors.Is and errors.As.
func (f *Fault) Unwrap() []error {
	if f.Cause == nil {
		return []error{f.Kind}
	}
	return []error{f.Kind, f.Cause}
}

func (c *Config) fault(kind error, doing string, cause error, next string) *Fault {
	return &Fault{Kind: kind, Directory: c.Words.Directory, Dir: c.Dir, Doing: doing, Cause: cause, Next: next}
}

func (d *Disk) fault(kind error, doing string, cause error, next string) *Fault {
	return d.cfg.fault(kind, doing, cause, next)
}

// IsFull tells a lack of room from other failures of the disk.
func IsFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// readFault classifies what a read of Pebble answered.
func (d *Disk) readFault(doing string, err error) error {
	w := &d.cfg.Words
	if IsCorrupt(err) {
		return d.fault(w.Corrupt, doing, err, w.NextCorrupt)
	}
	return d.fault(w.Store, doing, err, w.NextRead)
}

// errUndecodable marks a row that Pebble gave back whole, but that no decoder of ours accepts.
var errUndecodable = errors.New("undecodable row")

// Undecodable marks the error of a decoder.
func Undecodable(err error) error { return fmt.Errorf("%w: %w", errUndecodable, err) }

// IsCorrupt tells damage, and what was marked as undecodable, from other errors.
func IsCorrupt(err error) bool {
	return errors.Is(err, errUndecodable) || pebble.IsCorruptionError(err)
}
