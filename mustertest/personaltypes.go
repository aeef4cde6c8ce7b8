package mustertest

import (
	"go/types"
	"reflect"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/seed-3eec0498/muster/proto/muster/privacy"
)

// personalTypes tells which types hold personal data.
type personalTypes struct {
	messages map[string]bool     // linked protobuf messages with personal fields, by package path and name
	known    map[types.Type]bool // answers
}

func newPersonalTypes() *personalTypes {
	p := &personalTypes{messages: map[string]bool{}, known: map[types.Type]bool{}}
	protoregistry.GlobalTypes.RangeMessages(func(mt protoreflect.MessageType) bool {
		fields := mt.Descriptor().Fields()
		for i := range fields.Len() {
			if marked, _ := proto.GetExtension(fields.Get(i).Options(), privacy.E_Personal).(bool); marked {
				t := reflect.TypeOf(mt.Zero().Interface()).Elem()
				p.messages[t.PkgPath()+"."+t.Name()] = true
			}
		}
		return true
	})
	return p
}

// holds tells whether printing a value of the type may print personal data.
func (p *personalTypes) holds(t types.Type) bool {
	holds, is := p.known[t]
	if !is {
		holds = p.look(t, map[types.Type]bool{})
		p.known[t] = holds
	}
	return holds
}

// look goes into a type; seen are those that it is in already.
func (p *personalTypes) look(t types.Type, seen map[types.Type]bool) bool {
	if t = types.Unalias(t); seen[t] {
		return false
	}
	seen[t] = true
	switch t := t.(type) {
	case *types.Named:
		if o := t.Obj(); o.Pkg() != nil && p.messages[o.Pkg().Path()+"."+o.Name()] {
			return true
		}
		for i := range t.NumMethods() {
			if name := t.Method(i).Name(); name == "Format" || name == "LogValue" {
				return false
			}
		}
		return p.look(t.Underlying(), seen)
	case *types.Pointer:
		return p.look(t.Elem(), seen)
	case *types.Slice:
		return p.look(t.Elem(), seen)
	case *types.Array:
		return p.look(t.Elem(), seen)
	case *types.Map:
		return p.look(t.Key(), seen) || p.look(t.Elem(), seen)
	case *types.Struct:
		for i := range t.NumFields() {
			if slices.Contains(strings.Split(reflect.StructTag(t.Tag(i)).Get("muster"), ","), "personal") || p.look(t.Field(i).Type(), seen) {
				return true
			}
		}
	}
	return false
}
