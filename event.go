package muster

import "reflect"

// EventType is a typed event of a group. It is a value that owner, projections and subscribers import.
type EventType[E any] struct {
	group *Group
	name  string
	value valueOf[E]
}

// NewEvent declares an event. Its name is the message type on the wire, unique in the group.
// E is a protobuf message, [Raw], or anything encoding/json can handle.
func NewEvent[E any](g *Group, name string) *EventType[E] {
	g.declare("event", name, valueOf[E]{}.check())
	g.payload(reflect.TypeFor[E]())
	g.mu.Lock()
	g.events[name] = valueOf[E]{}.decode
	g.mu.Unlock()
	return &EventType[E]{group: g, name: name}
}

// Name gives the message type on the wire.
func (t *EventType[E]) Name() string { return t.name }

// Group gives the group whose journal holds the event.
func (t *EventType[E]) Group() *Group { return t.group }

// Emitter is what an event can be emitted on: the [Root] a decide function was given.
type Emitter interface {
	emit(g *Group, name string, v any)
}

// Emit appends the event to the command in hand and folds it at once, so that the root's state is the new one. A fault (no evolve
// function, over a limit, an event of another group) refuses the command as a whole; nothing of it is written.
func (t *EventType[E]) Emit(on Emitter, e E) { on.emit(t.group, t.name, e) }

// Decode reads the payload of an event of this type, as a subscriber or a reader of the journal gets it. What is withheld of it is absent;
// [EventType.Reveal] tells.
func (t *EventType[E]) Decode(codec Codec, ev *Event) (E, error) {
	e, _, err := t.Reveal(codec, ev)
	return e, err
}

// Reveal reads the payload of an event of this type and tells what is withheld of it.
func (t *EventType[E]) Reveal(codec Codec, ev *Event) (E, Redaction, error) {
	v, withheld, err := t.value.decode(codec, eventPlace(ev), ev.Payload)
	if err != nil {
		var none E
		return none, Redaction{}, err
	}
	return v.(E), withheld, nil
}

func eventPlace(ev *Event) Place {
	return Place{
		Purpose: PurposeEvent, Group: ev.Group, Type: ev.Type, AggregateID: ev.AggregateID,
		Revision: ev.Revision, MessageID: ev.ID, ContentType: ev.ContentType,
	}
}
