package muster

import (
	"fmt"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxNesting is how deeply a message may be nested, counted as protobuf's decoder does: the outermost message, each one inside, and each entry of a
// map. It is far below that decoder's own bound, so that no input can exhaust the stack.
const maxNesting = 100

// checkNesting holds a message against the bound before it is encoded: what nobody can decode is not written.
func checkNesting(m proto.Message) error {
	message := m.ProtoReflect()
	if !recursive(message.Descriptor()) || !deeper(message, maxNesting) {
		return nil
	}
	return fmt.Errorf("%s is nested more than %d levels deep, and would not be decoded; make it flatter", message.Descriptor().FullName(), maxNesting)
}

// deeper tells whether a message has more than so many levels.
func deeper(m protoreflect.Message, levels int) (found bool) {
	if levels == 0 {
		return true
	}
	m.Range(func(field protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case field.IsMap():
			found = levels == 1
			if field.MapValue().Message() != nil && !found {
				v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
					found = deeper(v.Message(), levels-2)
					return !found
				})
			}
		case field.Message() == nil:
		case field.IsList():
			for i := 0; i < v.List().Len() && !found; i++ {
				found = deeper(v.List().Get(i).Message(), levels-1)
			}
		default:
			found = deeper(v.Message(), levels-1)
		}
		return !found
	})
	return found
}

// recursiveTypes remembers by descriptor whether messages can be nested without end. Others are as deep as their types are, which nobody writes by hand
// a hundred times, so that nothing of them need be looked at.
var recursiveTypes sync.Map // protoreflect.MessageDescriptor -> bool

func recursive(of protoreflect.MessageDescriptor) bool {
	if known, ok := recursiveTypes.Load(of); ok {
		return known.(bool)
	}
	found := circular(of, map[protoreflect.MessageDescriptor]bool{})
	recursiveTypes.Store(of, found)
	return found
}

// circular tells whether a type is on a circle or leads to one. Onto has the types seen: true, where they are being looked at.
func circular(of protoreflect.MessageDescriptor, onto map[protoreflect.MessageDescriptor]bool) bool {
	if inHand, seen := onto[of]; seen {
		return inHand
	}
	onto[of] = true
	for i := range of.Fields().Len() {
		if inner := of.Fields().Get(i).Message(); inner != nil && circular(inner, onto) {
			return true
		}
	}
	onto[of] = false
	return false
}
