package crypto

import (
	"errors"
	"fmt"
	"time"
)

// errInput is what the errors of wrong arguments are.
var errInput = errors.New("crypto: wrong use of a key store")

const (
	maxWrapped = 16 << 10 // bytes of a wrapped key; those of a KMS may be long
	maxErasure = 200      // bytes of an erasure's id
)

// validate says what is wrong with an entry that somebody wants to store.
func (e *Entry) validate() error {
	switch {
	case e.Version == 0:
		return fmt.Errorf("%w: an entry has no version; the first one is 1", errInput)
	case e.State != EntryActive && e.State != EntryReadOnly:
		return fmt.Errorf("%w: an entry of state %d; store Active or ReadOnly, and use Destroy or Replace to destroy", errInput, e.State)
	case len(e.Wrapped) == 0 || len(e.Wrapped) > maxWrapped:
		return fmt.Errorf("%w: an entry with %d bytes of wrapped key; it has 1 to %d", errInput, len(e.Wrapped), maxWrapped)
	case e.Born < 0:
		return fmt.Errorf("%w: an entry born at %d", errInput, e.Born)
	}
	return nil
}

// validateNext says what is wrong with an entry that somebody wants to replace another one with.
func (e *Entry) validateNext() error {
	if e.State == EntryDestroyed {
		if len(e.Wrapped) > 0 {
			return fmt.Errorf("%w: a destroyed entry with %d bytes of wrapped key; it has none", errInput, len(e.Wrapped))
		}
		return nil
	}
	return e.validate()
}

// newborn gives the entry as it is stored for the first time.
func (e Entry) newborn(life uint32, now time.Time) Entry {
	e.Life, e.Born, e.Created = life, 0, now.UTC().Truncate(time.Microsecond)
	return e
}

// admits says why an entry cannot replace the one that holds.
func (e *Entry) admits(other Entry) error {
	if e.Version != other.Version || e.Life != other.Life || e.Born != other.Born {
		return fmt.Errorf("%w: Replace of version %d, life %d, born %d by version %d, life %d, born %d; change State, Generation and Wrapped of what Lookup gives",
			errInput, e.Version, e.Life, e.Born, other.Version, other.Life, other.Born)
	}
	return nil
}

func checkErasure(id string) error {
	if id == "" || len(id) > maxErasure {
		return fmt.Errorf("%w: an erasure id of %d bytes; it has 1 to %d", errInput, len(id), maxErasure)
	}
	return nil
}
