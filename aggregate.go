package muster

import (
	"context"
	"fmt"
	"reflect"
	"time"
)

// Aggregate says how one kind of aggregate behaves: what its state is, how commands are decided, how events change it.
// It is made once at start and read-only afterwards.
type Aggregate[S any] struct{ behaviour *Behaviour }

// NewAggregate begins the definition of the aggregates of a group; zero makes the state of one that has no event yet.
func NewAggregate[S any](g *Group, zero func() S) *Aggregate[S] {
	b := &Behaviour{
		group: g, zero: func() any { return zero() }, state: valueOf[S]{}.decode, stateType: reflect.TypeFor[S](),
		reactions: map[string]reaction{}, evolve: map[string]evolver{},
	}
	if err := (valueOf[S]{}).check(); err != nil {
		b.faultf("group %q: state: %v", g.name, err)
	}
	if zero == nil {
		b.faultf("group %q: NewAggregate needs a function that makes an empty state", g.name)
	}
	return &Aggregate[S]{behaviour: b}
}

// Behaviour gives the definition without its type parameter; services take it from there.
func (a *Aggregate[S]) Behaviour() *Behaviour { return a.behaviour }

// Group gives the group the aggregates belong to.
func (a *Aggregate[S]) Group() *Group { return a.behaviour.group }

// Empty makes the state of an aggregate that has no event yet.
func (a *Aggregate[S]) Empty() S { return a.behaviour.zero().(S) }

// Fold gives the state after an event, by the evolve function of its type; it may change state in place. It is for read models that want the
// owner's own fold. What is withheld of the event is absent. The error says why the event cannot be folded: no evolve function, an undecodable payload.
func (a *Aggregate[S]) Fold(codec Codec, state S, e *Event) (S, error) {
	evolve, known := a.behaviour.evolver(e.Type)
	if !known {
		return state, fmt.Errorf("%v: group %q has no evolve function for %s; add one with muster.Evolve", e.Position(), a.behaviour.group.name, e.Type)
	}
	v, withheld, err := evolve.event(codec, eventPlace(e), e.Payload)
	if err != nil {
		return state, fmt.Errorf("%v: %w", e.Position(), err)
	}
	return a.behaviour.apply(evolve, state, v, withheld).(S), nil
}

// Decide sets the handler of a command. fn is pure: it reads the state, emits events, and answers or refuses. It may run again after an
// aborted commit, so it must not do I/O; the context ends at the handler deadline. A returned error refuses the command and rolls back
// what was emitted; use [Errorf] for a code.
func Decide[S, In, Out any](a *Aggregate[S], c *CommandType[In, Out], fn func(ctx context.Context, root *Root[S], in In) (Out, error)) {
	b := a.behaviour
	if !b.handles("command", c.group, c.name, fn == nil) {
		return
	}
	b.reactions[c.name] = reaction{
		decode: valueOf[In]{}.decode,
		run: func(ctx context.Context, x *execution, in any) (any, error) {
			return fn(ctx, &Root[S]{x: x}, in.(In))
		},
	}
}

// Answer sets the handler of a query. It sees every command before it in the log of the aggregate. It must not change the state.
func Answer[S, In, Out any](a *Aggregate[S], q *QueryType[In, Out], fn func(ctx context.Context, state State[S], in In) (Out, error)) {
	b := a.behaviour
	if !b.handles("query", q.group, q.name, fn == nil) {
		return
	}
	b.reactions[q.name] = reaction{
		query: true, decode: valueOf[In]{}.decode,
		run: func(ctx context.Context, x *execution, in any) (any, error) {
			state := State[S]{value: x.state.(S), id: x.cmd.AggregateID, revision: x.revision}
			return fn(ctx, state, in.(In))
		},
	}
}

// Root is the aggregate a decide function works on. It is valid until that function returns.
type Root[S any] struct{ x *execution }

// ID gives the aggregate id.
func (r *Root[S]) ID() string { return r.x.cmd.AggregateID }

// Revision gives the number of the last event, those emitted by this command included; 0 means that there is none yet.
func (r *Root[S]) Revision() uint64 { return r.x.revision }

// State gives the state with all events folded, those emitted by this command included.
func (r *Root[S]) State() S { return r.x.state.(S) }

// Meta gives what is known about the command; its Revision is the aggregate's before the command.
func (r *Root[S]) Meta() *Meta { return &r.x.cmd.Meta }

// Now gives the time of the batch: use it instead of the clock, so that a decision depends on its input only.
func (r *Root[S]) Now() time.Time { return r.x.now }

func (r *Root[S]) emit(g *Group, name string, v any) { r.x.emit(g, name, v) }

// State is what a query handler sees of an aggregate. The value must not be changed.
type State[S any] struct {
	value    S
	id       string
	revision uint64
}

// Value gives the state.
func (s State[S]) Value() S { return s.value }

// ID gives the aggregate id.
func (s State[S]) ID() string { return s.id }

// Revision gives the number of the last event; 0 means that the aggregate does not exist.
func (s State[S]) Revision() uint64 { return s.revision }
