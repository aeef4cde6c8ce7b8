package crypto

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// plans holds what is to be done with each type: a protobuf message is known by its descriptor, every other type by itself.
type plans struct {
	declared map[any]*Declaration             // read-only after declare
	known    atomic.Pointer[map[any]*planned] // by what typeKey gives, and by the types of values themselves; replaced as a whole, under mu

	mu sync.Mutex
}

// planned is a plan, or why there is none. Both nil: nothing is declared about the type.
type planned struct {
	plan *plan
	err  error
}

// declare takes the declarations of the configuration.
func (p *plans) declare(all []Declaration) error {
	p.declared = map[any]*Declaration{}
	var faults []error
	for i := range all {
		d := &all[i]
		if d.of == nil {
			faults = append(faults, errors.New("crypto: a Declaration is empty; make it with Whole or Remainder"))
			continue
		}
		key := typeKey(d.of)
		if _, twice := p.declared[key]; twice {
			faults = append(faults, fmt.Errorf("crypto: %s is declared twice; remove one", d.of))
			continue
		}
		p.declared[key] = d
		faults = append(faults, p.get(key, d.of).err)
	}
	return errors.Join(faults...)
}

// check reports everything that is wrong with the declarations of types.
func (p *plans) check(types []reflect.Type) error {
	var faults []error
	seen := map[any]bool{}
	for _, t := range types {
		if t == nil {
			continue
		}
		if key := typeKey(t); !seen[key] {
			seen[key] = true
			faults = append(faults, p.get(key, t).err)
		}
	}
	return errors.Join(faults...)
}

// of gives the plan for a value, or for what a pointer points to; nil when nothing is to be done.
func (p *plans) of(v any) (*plan, error) {
	key := valueKey(v)
	if key == nil {
		return nil, nil
	}
	have := p.find(key, v)
	return have.plan, have.err
}

// valueKey gives what a value's type is looked for by; nil for nil.
func valueKey(v any) any {
	if m, ok := v.(proto.Message); ok {
		return m.ProtoReflect().Descriptor()
	} else if t := reflect.TypeOf(v); t != nil {
		return t
	}
	return nil
}

func (p *plans) find(key, v any) *planned {
	if have := p.have(key); have != nil {
		return have
	}
	t := reflect.TypeOf(v)
	if _, message := key.(protoreflect.MessageDescriptor); message {
		return p.get(key, t)
	}
	return p.keep(key, p.get(elem(t), t))
}

// recent holds the plans that one scratch has met last, so that few values cost a look into a map.
type recent struct {
	keys  [8]any
	plans [8]*planned
	next  int
}

func (r *recent) of(p *plans, v any) (*plan, error) {
	key := valueKey(v)
	if key == nil {
		return nil, nil
	}
	for i := range r.keys {
		if r.keys[i] == key {
			return r.plans[i].plan, r.plans[i].err
		}
	}
	have := p.find(key, v)
	r.keys[r.next], r.plans[r.next] = key, have
	r.next = (r.next + 1) % len(r.keys)
	return have.plan, have.err
}

func (p *plans) have(key any) *planned {
	if known := p.known.Load(); known != nil {
		return (*known)[key]
	}
	return nil
}

func (p *plans) get(key any, t reflect.Type) *planned {
	if have := p.have(key); have != nil {
		return have
	}
	fresh := &planned{}
	fresh.plan, fresh.err = newPlan(key, t, p.declared[key])
	return p.keep(key, fresh)
}

// keep remembers a plan, and gives the one that is there now.
func (p *plans) keep(key any, fresh *planned) *planned {
	p.mu.Lock()
	defer p.mu.Unlock()
	if have := p.have(key); have != nil {
		return have
	}
	more := map[any]*planned{key: fresh}
	if known := p.known.Load(); known != nil {
		maps.Copy(more, *known)
	}
	p.known.Store(&more)
	return fresh
}

var messageType = reflect.TypeFor[proto.Message]()

// typeKey gives what a type is known by.
func typeKey(t reflect.Type) any {
	t = elem(t)
	if reflect.PointerTo(t).Implements(messageType) && t.Kind() == reflect.Struct {
		return reflect.New(t).Interface().(proto.Message).ProtoReflect().Descriptor()
	}
	return t
}

// newPlan reads the declarations of a type; nil where there are none and nothing unknown can travel in it.
func newPlan(key any, t reflect.Type, d *Declaration) (*plan, error) {
	p := &plan{name: elem(t).String()}
	if d != nil && d.whole {
		p.whole, p.personal, p.subject = true, true, d.subject
		return p, nil
	}
	var faults []error
	if m, ok := key.(protoreflect.MessageDescriptor); ok {
		r := wireReader{nodes: map[protoreflect.FullName]*node{}}
		p.name, p.wire = string(m.FullName()), r.read(m)
		p.personal = r.hasPersonal(m, map[protoreflect.FullName]bool{})
		faults = r.faults
	} else if t = elem(t); hasTags(t, nil) {
		p.personal = true
		switch {
		case t.Kind() != reflect.Struct:
			faults = append(faults, fmt.Errorf("%s: its elements have personal fields; declare it with Whole", t))
		case marshals(t):
			faults = append(faults, fmt.Errorf("%s has personal fields, but makes its own JSON; declare it with Whole", t))
		default:
			r := structReader{objects: map[reflect.Type]*object{}}
			p.object = r.read(t)
			faults = r.faults
		}
	}
	if d != nil {
		p.remains = d.remains
		switch {
		case d.remains == nil:
			faults = append(faults, fmt.Errorf("%s: its %s has a nil function; give it one", p.name, d.what))
		case !p.personal:
			faults = append(faults, fmt.Errorf("%s has a Remainder, and no personal field of which something could remain", p.name))
		}
	}
	if p.wire == nil && p.object == nil {
		p = nil
	}
	return p, errors.Join(faults...)
}
