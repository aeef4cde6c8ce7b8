package projector

import (
	"context"
	"errors"
)

// Checked is a [Batch] that has a say in what a function's return means, as a database transaction has: only there is it known whose fault an
// error is, and whether the transaction is still one. The runner asks it behind every function.
type Checked interface {
	// After gets what the function returned and gives the error that counts. Nil: go on. One that is [ErrStore]: no event is charged, the shard waits
	// for its target. A [Blame]: an event before is at fault. Any other is a failure of the event in hand.
	After(ctx context.Context, err error) error
}

// ErrStore marks a fault of a target, also one that a function ran into: see [AsStore].
var ErrStore = errors.New("projector: the target cannot be used now")

// AsStore marks an error as a fault of the target: it is tried again and never charged to an event.
func AsStore(err error) error {
	if err == nil || errors.Is(err, ErrStore) {
		return err
	}
	return &storeFault{err}
}

type storeFault struct{ error }

// Unwrap gives the cause.
func (f *storeFault) Unwrap() error { return f.error }

// Is makes it an ErrStore without adding to its text.
func (f *storeFault) Is(target error) bool { return target == ErrStore }

// Blame is an error of a batch that one of its events is at fault for, but that came up behind its function: [Checked] and [Batch.Commit]
// may give it. Nothing of the batch is committed then.
type Blame struct {
	ID  string // of the event, see [Running]
	Err error
}

// Error gives the text of the fault.
func (b *Blame) Error() string { return b.Err.Error() }

// Unwrap gives the fault.
func (b *Blame) Unwrap() error { return b.Err }
