package muster

import "time"

// Peeked is a local, possibly stale read of an aggregate, with what tells how old it is.
type Peeked[S any] struct {
	State     S
	Revision  uint64   // 0: the aggregate had no event
	Position  Position // every event of the partition up to here is folded in; zero when there was none
	Time      time.Time
	Redaction Redaction // what is withheld of the state
	Owned     bool      // this instance owns the partition now; else the state stopped changing when it was lost, at Time or later
}

// PeekedState is a [Peeked] before it is decoded.
type PeekedState struct {
	StoredState
	Position Position
	Time     time.Time
	Owned    bool
}

// StateReader gives locally stored states; a service that owns the group is one.
type StateReader interface {
	// PeekState gives what this instance has stored of an aggregate. It is an error wrapping [ErrNotHeld] when it holds nothing of the partition.
	PeekState(g *Group, id string) (PeekedState, error)
	// PayloadCodec is the codec the states were written with.
	PayloadCodec() Codec
}

// Peek reads the state this instance has stored, without asking the owner: cheap, never ahead of the journal, possibly behind it. Position
// and Time say up to where and when the store was last written. Use a query for a linearizable read.
func (a *Aggregate[S]) Peek(from StateReader, id string) (Peeked[S], error) {
	var none Peeked[S]
	b := a.behaviour
	stored, err := from.PeekState(b.group, id)
	if err != nil {
		return none, err
	}
	state, withheld := b.zero(), Redaction{}
	if stored.Revision > 0 {
		if state, withheld, err = b.openState(from.PayloadCodec(), &stored.StoredState); err != nil {
			return none, err
		}
	}
	return Peeked[S]{State: state.(S), Revision: stored.Revision, Position: stored.Position, Time: stored.Time, Owned: stored.Owned, Redaction: withheld}, nil
}
