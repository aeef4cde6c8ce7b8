package muster

import "fmt"

// Evolve sets the pure fold of one event into the state. fn may change the state in place and return it. It sees every event of the
// journal again after a restart, so it must not fail on anything that was ever emitted.
//
// In a group with [KeepLatest] fn gets an empty state each time: the event alone must give the state, because compaction may have taken
// those before it. What a handler sees is therefore what a recovery will find.
func Evolve[S, E any](a *Aggregate[S], t *EventType[E], fn func(state S, event E) S) {
	b := a.behaviour
	e := b.evolve[t.name]
	if !b.evolves(t.group, t.name, fn == nil, e.fold != nil) {
		return
	}
	fold := func(state, event any) any { return fn(state.(S), event.(E)) }
	if b.group.policy == KeepLatest {
		fold = func(_, event any) any { return fn(b.zero().(S), event.(E)) }
	}
	e.event, e.fold = valueOf[E]{}.decode, fold
	b.evolve[t.name] = e
}

// EvolveRedacted sets what is done in place of the evolve function with an event of which something is withheld for good, because it belongs to an
// erased subject: withheld says which fields are absent. fn is as pure and total as the other one.
//
// Without it the evolve function gets the event with these fields absent, and an event that is absent as a whole leaves the state as it is; in a
// group with [KeepLatest] the state is empty then. The revision counts in every case.
func EvolveRedacted[S, E any](a *Aggregate[S], t *EventType[E], fn func(state S, event E, withheld Redaction) S) {
	b := a.behaviour
	e := b.evolve[t.name]
	if !b.evolves(t.group, t.name, fn == nil, e.redacted != nil) {
		return
	}
	e.redacted = func(state, event any, withheld Redaction) any { return fn(state.(S), event.(E), withheld) }
	if b.group.policy == KeepLatest {
		e.redacted = func(_, event any, withheld Redaction) any { return fn(b.zero().(S), event.(E), withheld) }
	}
	b.evolve[t.name] = e
}

// evolves tells whether an event may get a function, and reports why not.
func (b *Behaviour) evolves(g *Group, name string, missing, twice bool) bool {
	switch {
	case missing:
		b.faultf("group %q: event %q has a nil evolve function; give it one", b.group.name, name)
	case g != b.group:
		b.faultf("event %q belongs to group %q, not to %q", name, g.name, b.group.name)
	case twice:
		b.faultf("group %q: event %q has two evolve functions; remove one", b.group.name, name)
	default:
		return true
	}
	return false
}

// evolver is what an event type does to a state.
type evolver struct {
	event    decoder                                        // nil where nothing is folded
	fold     func(state, event any) any                     // nil where only EvolveRedacted was called
	redacted func(state, event any, withheld Redaction) any // nil: what is absent is folded as absent
}

// read decodes an event for the fold. That somebody else could read more of it is an error: the state would differ from owner to owner.
func (e evolver) read(codec Codec, ev *Event) (any, Redaction, error) {
	if e.event == nil {
		return nil, Redaction{}, nil
	}
	place := eventPlace(ev)
	v, r, err := e.event(codec, place, ev.Payload)
	if err == nil && r.denied() {
		err = withheld(r, place)
	}
	return v, r, err
}

// write encodes a value as the payload of an event, and gives what read will.
func (e evolver) write(codec Codec, ev *Event, v any) (travelled any, r Redaction, err error) {
	if echoer, does := codec.(Echoer); does && e.event != nil {
		echo := &echoing{Echoer: echoer, value: v}
		travelled, r, err = e.read(echo, ev)
		ev.Payload, ev.ContentType = echo.data, echo.contentType
		return travelled, r, err
	}
	if ev.Payload, ev.ContentType, err = codec.Encode(nil, eventPlace(ev), v); err != nil {
		return nil, Redaction{}, err
	}
	if travelled, r, err = e.read(codec, ev); err != nil {
		err = fmt.Errorf("cannot be read back: %w", err)
	}
	return travelled, r, err
}

// apply folds what read gave.
func (b *Behaviour) apply(e evolver, state, event any, r Redaction) any {
	switch {
	case r.Access == AccessOpen:
	case e.redacted != nil:
		return e.redacted(state, event, r)
	case r.Whole() && b.group.policy == KeepLatest && b.zero != nil:
		return b.zero() // compaction may have taken what was before, so that must not count
	case r.Whole():
		return state
	}
	return e.fold(state, event)
}
