package muster

import "reflect"

// TypeChecker is a [Codec] with rules for the types of payloads. CheckTypes is told every Go type that a service encodes or decodes, before the
// first payload: of commands, queries, their results, events, states and rows. It reports everything that is wrong with them, joined.
type TypeChecker interface {
	Codec
	CheckTypes(types ...reflect.Type) error
}
