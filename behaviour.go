package muster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// Behaviour is what the owner of a group does, as the processor runs it: an [Aggregate] and [Handler]s without their type parameters.
// It is made once at start and read-only afterwards.
//
//	zero == nil  <=>  the group has handlers only: its aggregates have a revision and no state
type Behaviour struct {
	group     *Group
	zero      func() any
	state     decoder // of a stored state
	stateType reflect.Type
	reactions map[string]reaction // by command and query type
	rest      *reaction           // the catch-all; nil: none
	evolve    map[string]evolver
	around    []Middleware // outermost first
	faults    []error
}

// reaction is how commands of one type are handled. [execution.run] looks it up, once per command, and is the only one that calls it.
type reaction struct {
	query   bool // reads only: nothing is written, no answer is remembered
	effects bool // may do I/O and take its time; run makes its Writer
	decode  decoder
	run     func(ctx context.Context, x *execution, in any) (any, error)
}

// unfolded stands for every event of a group without state.
var unfolded = evolver{fold: func(state, _ any) any { return state }}

// statelessMark is stored as the state of an aggregate of a group without state. It is neither protobuf nor JSON: should the group get an
// aggregate one day, the mark is not taken for a state, but the journal is folded anew.
var statelessMark = []byte{0xff}

// reaction gives what is done with a command of the given type, and false when nothing is.
func (b *Behaviour) reaction(name string) (reaction, bool) {
	r, known := b.reactions[name]
	if !known && b.rest != nil && b.group.kindOf(name) != "query" {
		return *b.rest, true
	}
	return r, known
}

// isQuery tells whether messages of the given type only read.
func (b *Behaviour) isQuery(name string) bool { return name == ResultQuery || b.reactions[name].query }

// evolver gives the fold of an event type, and false when there is none.
func (b *Behaviour) evolver(name string) (evolver, bool) {
	if b.zero == nil {
		return unfolded, true
	}
	e := b.evolve[name]
	return e, e.fold != nil
}

// Effects tells whether the group has stateless handlers, which may do I/O and take their time.
func (b *Behaviour) Effects() bool {
	if b.rest != nil {
		return true
	}
	for _, r := range b.reactions {
		if r.effects {
			return true
		}
	}
	return false
}

func (b *Behaviour) handles(kind string, g *Group, name string, missing bool) bool {
	if missing {
		b.faultf("group %q: %s %q has a nil handler; give it a function", b.group.name, kind, name)
		return false
	}
	if g != b.group {
		b.faultf("%s %q belongs to group %q, not to %q", kind, name, g.name, b.group.name)
		return false
	}
	if _, twice := b.reactions[name]; twice {
		b.faultf("group %q: %s %q has two handlers; remove one", b.group.name, kind, name)
		return false
	}
	return true
}

// Merge makes one behaviour of several of the same group; none of them is changed. What does not go together (two aggregates, two handlers for
// one command, two catch-alls, two contracts of one name) is reported by Validate.
func Merge(first *Behaviour, others ...*Behaviour) *Behaviour {
	m := *first
	m.around = slices.Clone(first.around)
	m.reactions, m.evolve, m.faults = maps.Clone(first.reactions), maps.Clone(first.evolve), slices.Clone(first.faults)
	for _, b := range others {
		m.add(b)
	}
	return &m
}

func (b *Behaviour) add(other *Behaviour) {
	b.faults = append(b.faults, other.faults...)
	b.around = append(b.around, other.around...)
	if b.group != other.group {
		b.faultf("group %q: two parts have contracts of their own for it; let both use one muster.Group value", b.group.name)
	}
	for _, name := range slices.Sorted(maps.Keys(other.reactions)) {
		if b.handles("command", b.group, name, false) {
			b.reactions[name] = other.reactions[name]
		}
	}
	if b.rest != nil && other.rest != nil {
		b.faultf("group %q: there are two catch-alls; remove one", b.group.name)
	}
	if other.rest != nil {
		b.rest = other.rest
	}
	if b.zero != nil && other.zero != nil {
		b.faultf("group %s is owned by two parts that keep state; define one aggregate per group", b.group.name)
	}
	if other.zero != nil {
		b.zero, b.state, b.stateType = other.zero, other.state, other.stateType
		maps.Copy(b.evolve, other.evolve)
	}
}

// Group gives the group whose owner behaves so.
func (b *Behaviour) Group() *Group { return b.group }

// Validate reports everything wrong with the definition and its group, joined: bad or double names, two handlers for one command,
// a declared event without evolve function.
func (b *Behaviour) Validate() error {
	faults := append([]error{b.group.Validate()}, b.faults...)
	b.group.mu.Lock()
	defer b.group.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(b.group.types)) {
		if _, known := b.evolver(name); b.group.types[name] == "event" && !known {
			faults = append(faults, fmt.Errorf("group %q: event %q has no evolve function; add muster.Evolve for it", b.group.name, name))
		}
	}
	return errors.Join(faults...)
}

func (b *Behaviour) faultf(format string, args ...any) {
	b.faults = append(b.faults, fmt.Errorf(format, args...))
}
