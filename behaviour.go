package muster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Behaviour is what the owner of a group does, as the processor runs it: an [Aggregate] and [Handler]s without their type parameters.
// It is made once at start and read-only afterwards.
//
//	zero == nil  <=>  the group has handlers only: its aggregates have a revision and no state
type Behaviour struct {
	group     *Group
	zero      func() any
	state     func(Codec, Place, []byte) (any, error) // decodes a stored state
	reactions map[string]reaction                     // by command and query type
	evolve    map[string]evolver
	faults    []error
}

// reaction is how commands of one type are handled. [execution.run] looks it up, once per command, and is the only one that calls it.
type reaction struct {
	query  bool // reads only: nothing is written, no answer is remembered
	decode func(Codec, Place, []byte) (any, error)
	run    func(ctx context.Context, x *execution, in any) (any, error)
}

type evolver struct {
	event func(Codec, Place, []byte) (any, error)
	fold  func(state, event any) any
}

// reaction gives what is done with a command of the given type, and false when nothing is.
func (b *Behaviour) reaction(name string) (reaction, bool) {
	r, known := b.reactions[name]
	return r, known
}

// isQuery tells whether messages of the given type only read.
func (b *Behaviour) isQuery(name string) bool { return b.reactions[name].query }

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

// Group gives the group whose owner behaves so.
func (b *Behaviour) Group() *Group { return b.group }

// Validate reports everything wrong with the definition and its group, joined: bad or double names, two handlers for one command,
// a declared event without evolve function.
func (b *Behaviour) Validate() error {
	faults := append([]error{b.group.Validate()}, b.faults...)
	b.group.mu.Lock()
	defer b.group.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(b.group.types)) {
		if _, known := b.evolve[name]; b.group.types[name] == "event" && !known {
			faults = append(faults, fmt.Errorf("group %q: event %q has no evolve function; add muster.Evolve for it", b.group.name, name))
		}
	}
	return errors.Join(faults...)
}

func (b *Behaviour) faultf(format string, args ...any) {
	b.faults = append(b.faults, fmt.Errorf(format, args...))
}
