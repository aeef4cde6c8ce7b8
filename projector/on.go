package projector

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/seed-3eec0498/muster"
)

// Into is a projection whose functions get a T to write to: *Rows[V] for a [View], a transaction for SQL, an idempotency key for effects.
type Into[T any] interface {
	// Definition gives what the projection is.
	Definition() *Definition
	// Hand makes a T of what the target's batch gives, see [Batch.Tx].
	Hand(tx any) T
}

// On hands the events of one type to fn, decoded. Everything fn writes through its T is committed together with the checkpoint; fn may run again for
// the same event after a failure or a crash, so what it does otherwise must bear that. An error or a panic is a failure, see [OnFailure]. The
// context carries the event's meta, and ends at the deadline or when the partition goes elsewhere.
//
// What is withheld of the event is absent, and m.Redaction tells; see [OnRedacted] for other wishes.
func On[T, E any](p Into[T], t *muster.EventType[E], fn func(ctx context.Context, to T, e E, m muster.Meta) error) {
	d := p.Definition()
	group := t.Group().Name()
	if fn == nil {
		d.faultf("event %q has a nil function; give it one", t.Name())
		return
	}
	if d.handlers[group][t.Name()] != nil {
		d.faultf("event %q has two functions; remove one", t.Name())
		return
	}
	d.reads(t.Group())
	if d.disclosers[group] == nil {
		d.disclosers[group] = map[string]discloser{}
	}
	d.disclosers[group][t.Name()] = t.Disclosed
	d.handlers[group][t.Name()] = func(ctx context.Context, tx any, codec muster.Codec, ev *muster.Event) error {
		e, withheld, err := t.Reveal(codec, ev)
		if err != nil {
			return &undecodable{err}
		}
		if err := d.redacted(withheld); err != nil {
			return err
		}
		m := ev.Meta
		m.Redaction = withheld
		return fn(ctx, p.Hand(tx), e, m)
	}
}

// OnOthers hands every event of a group that has no function of its own to fn, as it lies in the journal, of whatever type.
func OnOthers[T any](p Into[T], g *muster.Group, fn func(ctx context.Context, to T, ev *muster.Event) error) {
	d := p.Definition()
	switch {
	case fn == nil:
		d.faultf("OnOthers for group %q has a nil function; give it one", g.Name())
	case d.others[g.Name()] != nil:
		d.faultf("OnOthers for group %q stands there twice; remove one", g.Name())
	default:
		d.reads(g)
		d.others[g.Name()] = func(ctx context.Context, tx any, _ muster.Codec, ev *muster.Event) error {
			ev.Payload = bytes.Clone(ev.Payload) // fn may keep it, and the feed uses its memory again
			return fn(ctx, p.Hand(tx), ev)
		}
	}
}

// reads notes that the projection reads a group.
func (d *Definition) reads(g *muster.Group) {
	if !slices.Contains(d.groups, g) {
		d.groups = append(d.groups, g)
	}
	if d.handlers[g.Name()] == nil {
		d.handlers[g.Name()] = map[string]handler{}
	}
}

// undecodable is what the toolkit's part of a function gives, so that it is not taken for the function's own error.
type undecodable struct{ error }

// Unwrap gives the cause.
func (u *undecodable) Unwrap() error { return u.error }

var errUnknownType = errors.New("the contract of this build has no such event")

// handler gives the function for an event: nil where it is passed over, errUnknownType where the contract does not know the type and nothing takes
// it.
func (d *Definition) handler(ev *muster.Event) (handler, error) {
	if d.where != nil && !d.where(ev) {
		return nil, nil //nolint:nilnil // nothing to run is an answer
	}
	if h := d.handlers[ev.Group][ev.Type]; h != nil {
		return h, nil
	}
	if h := d.others[ev.Group]; h != nil {
		return h, nil
	}
	for _, g := range d.groups {
		if g.Name() == ev.Group && !g.HasEvent(ev.Type) {
			return nil, errUnknownType
		}
	}
	return nil, nil //nolint:nilnil // likewise
}
