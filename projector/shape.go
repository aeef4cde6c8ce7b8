package projector

import (
	"reflect"

	"google.golang.org/protobuf/proto"
)

// shape says how a value of a row type is copied, so that a row that a function has got cannot change behind the view's back: what a view holds must
// not depend on where its batches were cut.
type shape uint8

const (
	shapeOther   shape = iota // has references: copied by decoding it anew
	shapeFlat                 // has none but texts: an assignment copies it
	shapeMessage              // a protobuf message
)

func shapeOf[V any]() shape {
	t := reflect.TypeFor[V]()
	if t.Implements(reflect.TypeFor[proto.Message]()) {
		return shapeMessage
	}
	if flat(t) {
		return shapeFlat
	}
	return shapeOther
}

func flat(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16,
		reflect.Uint32, reflect.Uint64, reflect.Uintptr, reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128, reflect.String:
		return true
	case reflect.Array:
		return flat(t.Elem())
	case reflect.Struct:
		if t.PkgPath() == "time" && t.Name() == "Time" { // its pointer is to a location, which nobody changes
			return true
		}
		for i := range t.NumField() {
			if !flat(t.Field(i).Type) {
				return false
			}
		}
		return true
	default:
		return false
	}
}

// nothing tells whether v is a message that is nil.
func nothing[V any](s shape, v V) bool {
	if s != shapeMessage {
		return false
	}
	m, _ := any(v).(proto.Message)
	return m == nil || !m.ProtoReflect().IsValid()
}
