package crypto

import (
	"fmt"
	"slices"
	"time"
)

// ErasureState says how far an erasure has come. It only ever grows.
type ErasureState uint8

// The states of an erasure, in their order.
const (
	// ErasureRequested erasures are on the ledger, with everybody who has to acknowledge them. Nothing is destroyed yet.
	ErasureRequested ErasureState = 1 + iota
	// ErasureKeysDestroyed erasures have their permanent marker in the key store: no key of the subject can be had any more, but from caches.
	ErasureKeysDestroyed
	// ErasurePropagating erasures are being carried out by owners and projections. From here on their acknowledgements count.
	ErasurePropagating
	// ErasurePurged erasures have every acknowledgement, and a scan of the key store found no bytes of the subject's keys.
	ErasurePurged
	// ErasureUnrecoverable erasures are final for every copy: all generations that ever wrapped one of the keys are destroyed.
	ErasureUnrecoverable
)

var erasureStates = []string{"", "requested", "keys-destroyed", "propagating", "purged", "unrecoverable"}

// String gives the word that logs, metrics and the ledger use.
func (s ErasureState) String() string {
	if int(s) < len(erasureStates) && s > 0 {
		return erasureStates[s]
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// Duty is one acknowledgement that somebody owes: a partition of a group or of a projection that a service runs.
type Duty struct {
	Service   string   `json:"service"`
	Kind      DutyKind `json:"kind"`
	Name      string   `json:"name"` // of the group, or name@version of the projection
	Partition int32    `json:"partition"`
}

// String names the duty as logs do.
func (d Duty) String() string {
	return fmt.Sprintf("%s %s[%d] of %s", d.Kind, d.Name, d.Partition, d.Service)
}

// DutyKind is what a duty is about.
type DutyKind string

// The kinds of duties.
const (
	DutyGroup      DutyKind = "group"
	DutyProjection DutyKind = "projection"
)

// Acknowledgement says that a duty is done.
type Acknowledgement struct {
	Duty     Duty
	Instance string // that did it
	Time     time.Time
}

// Erasure is one erasure as the ledger tells it.
//
//	State >= ErasurePurged  =>  no duty is missing
//	Life is the subject's life that ends; there is one erasure per subject and life
type Erasure struct {
	ID        string
	Key       string // the idempotency key of the request
	Subject   SubjectRef
	Reason    string
	Requester string
	State     ErasureState
	Requested time.Time
	Changed   time.Time // when State was reached
	Deadline  time.Time // when acknowledgements that are missing become an alert
	Receipt   Receipt   // from ErasureKeysDestroyed on
	Owed      []Duty    // all of them
	Done      []Acknowledgement
	// Reinstated says that the subject has begun a new life since. What was erased stays erased.
	Reinstated bool
}

// Missing gives the duties that nobody has acknowledged.
func (e *Erasure) Missing() []Duty {
	var missing []Duty
	for _, d := range e.Owed {
		if !e.acknowledged(d) {
			missing = append(missing, d)
		}
	}
	return missing
}

func (e *Erasure) acknowledged(d Duty) bool {
	return slices.ContainsFunc(e.Done, func(a Acknowledgement) bool { return a.Duty == d })
}

// Overdue tells whether acknowledgements are missing although their time is over.
func (e *Erasure) Overdue(now time.Time) bool {
	return e.State < ErasurePurged && now.After(e.Deadline)
}

// Owes gives the duties of one service that are not done, where the erasure has come so far that they can be.
func (e *Erasure) Owes(service string) []Duty {
	if e.State < ErasureKeysDestroyed {
		return nil
	}
	return slices.DeleteFunc(e.Missing(), func(d Duty) bool { return d.Service != service })
}

// clone keeps the caller's changes away from the ledger's own.
func (e *Erasure) clone() Erasure {
	c := *e
	c.Owed, c.Done = slices.Clone(e.Owed), slices.Clone(e.Done)
	c.Receipt.Keys, c.Receipt.Generations = slices.Clone(e.Receipt.Keys), slices.Clone(e.Receipt.Generations)
	return c
}
