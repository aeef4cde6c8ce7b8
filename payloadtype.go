package muster

import (
	"fmt"
	"reflect"
)

// CheckTypes asks the codec about the Go types of the contract's messages, where it is a [TypeChecker]. The error names the group.
func (g *Group) CheckTypes(codec Codec) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return checkTypes(codec, "group "+g.name, g.payloads)
}

// CheckTypes asks the codec about the messages of the group and the type of its state.
func (b *Behaviour) CheckTypes(codec Codec) error {
	b.group.mu.Lock()
	defer b.group.mu.Unlock()
	all := b.group.payloads
	if b.stateType != nil {
		all = append(all[:len(all):len(all)], b.stateType)
	}
	return checkTypes(codec, "group "+b.group.name, all)
}

// CheckType asks the codec about T, where it is a [TypeChecker]. The error begins with what is what.
func (Value[T]) CheckType(codec Codec, what string) error {
	return checkTypes(codec, what, []reflect.Type{reflect.TypeFor[T]()})
}

func checkTypes(codec Codec, what string, all []reflect.Type) error {
	checker, asks := codec.(TypeChecker)
	if !asks {
		return nil
	}
	if err := checker.CheckTypes(all...); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// payload notes a Go type of the contract.
func (g *Group) payload(t reflect.Type) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.payloads = append(g.payloads, t)
}
