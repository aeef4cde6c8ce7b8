package muster

import "context"

// EventReader reads the journals of groups; a service is one, whether it owns anything or not.
type EventReader interface {
	// AwaitEvent gives the first event that passes the filters of r, or the error of ctx, typed.
	AwaitEvent(ctx context.Context, r Reading) (Event, error)
	// PayloadCodec is the codec the events were written with.
	PayloadCodec() Codec
}

// Await waits for an event of a group that passes all filters, until ctx ends. Without an option that says otherwise it looks at what is
// committed from now on. For an event that may be there already say where to look: take Service.JournalEnd before you send a command and
// give it to [After], or use [FromTime]. Each call reads the journal on connections of its own; where the answer of a command is what is
// waited for, use Call.
func Await(ctx context.Context, from EventReader, g *Group, opts ...ReadOption) (Event, error) {
	r := Reading{Group: g, Start: StartLatest}
	for _, opt := range opts {
		opt(&r)
	}
	return from.AwaitEvent(ctx, r)
}

// Await waits for an event of this type and decodes it; see the function [Await].
func (t *EventType[E]) Await(ctx context.Context, from EventReader, opts ...ReadOption) (E, Meta, error) {
	var none E
	ofType := func(r *Reading) { r.Type = t.name }
	ev, err := Await(ctx, from, t.group, append(opts[:len(opts):len(opts)], ofType)...)
	if err != nil {
		return none, Meta{}, err
	}
	e, withheld, err := t.Reveal(from.PayloadCodec(), &ev)
	ev.Redaction = withheld
	return e, ev.Meta, err
}
