package muster

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"google.golang.org/protobuf/proto"
)

// Purpose says what a payload is for. Encryption binds a payload to it.
type Purpose uint8

// The purposes of a payload. The numbers are fixed: they are part of what a sealed payload is bound to.
const (
	PurposeCommand Purpose = 1 + iota
	PurposeEvent
	PurposeReply
	PurposeState
	PurposeRow
	PurposeDeadLetter
	PurposeProgress
)

// Place is all a codec may know about a payload beside its value.
type Place struct {
	Purpose     Purpose
	Group       string // the group whose command, event, reply or state this is
	Type        string // message type; of a state the group's name
	AggregateID string
	Revision    uint64 // of an event and a state; 0 for commands and replies
	MessageID   string // id of the command or event; of a reply its command's id; empty for a state
	ContentType string // set when decoding: what the sender said; empty means the type's own
}

// Codec is the one point every payload passes, both ways. Encryption is a codec around a codec.
//
// Encode appends the bytes of v to dst and returns them with the content type. Decode fills into, a pointer to the value; it may keep
// no part of data. A Codec is used by many goroutines at once.
type Codec interface {
	Encode(dst []byte, place Place, v any) (data []byte, contentType string, err error)
	Decode(place Place, data []byte, into any) error
}

// Raw is a payload the toolkit passes on as it is. Use it as the type of a command, result or event.
type Raw []byte

// The content types of the three formats.
const (
	ContentProtobuf = "application/protobuf"
	ContentJSON     = "application/json"
	ContentRaw      = "application/octet-stream"
)

// PlainCodec encodes protobuf messages as protobuf, [Raw] and []byte as they are, everything else as JSON.
// What the content type of a record says must be what the Go type needs; a difference is an error.
type PlainCodec struct{}

// Encode implements [Codec].
func (PlainCodec) Encode(dst []byte, place Place, v any) ([]byte, string, error) {
	switch v := v.(type) {
	case proto.Message:
		if err := checkNesting(v); err != nil {
			return nil, "", fmt.Errorf("%s: encode: %w", place.Type, err)
		}
		out, err := marshal.MarshalAppend(dst, v)
		if err != nil {
			return nil, "", fmt.Errorf("%s: encode: %w", place.Type, err)
		}
		return notNil(out), ContentProtobuf, nil
	case Raw:
		return notNil(append(dst, v...)), ContentRaw, nil
	case []byte:
		return notNil(append(dst, v...)), ContentRaw, nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil, "", fmt.Errorf("%s: encode: %w", place.Type, err)
	}
	return append(dst, text...), ContentJSON, nil
}

// notNil keeps an empty payload apart from none: as a record value, null is a tombstone.
func notNil(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}

// marshal gives equal messages equal bytes, maps too, within one build: a retry of a command must look like the command.
var marshal = proto.MarshalOptions{Deterministic: true}

// unmarshal bounds nesting.
var unmarshal = proto.UnmarshalOptions{RecursionLimit: maxNesting}

// Decode implements [Codec]. Into is a pointer to a protobuf message pointer, to Raw or []byte, or to any value JSON can fill.
func (PlainCodec) Decode(place Place, data []byte, into any) error {
	if err := notSealed(place, data); err != nil {
		return err
	}
	switch p := into.(type) {
	case proto.Message:
		if err := wantContent(place, ContentProtobuf); err != nil {
			return err
		}
		if err := unmarshal.Unmarshal(data, p); err != nil {
			return fmt.Errorf("%s: not a valid %s", place.Type, p.ProtoReflect().Descriptor().FullName())
		}
		return nil
	case *Raw:
		*p = append(Raw(nil), data...)
		return nil
	case *[]byte:
		*p = append([]byte(nil), data...)
		return nil
	}
	if err := wantContent(place, ContentJSON); err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		// encoding/json quotes parts of the input in some of its texts; a payload must not get into an error
		return fmt.Errorf("%s: not valid JSON for %T", place.Type, into)
	}
	return nil
}

// notSealed tells sealed payloads from those this codec reads: they come from a time, or a process, in which sealing was switched on.
func notSealed(place Place, data []byte) error {
	unmarked := place.ContentType == "" && strings.HasPrefix(string(data[:min(len(data), len(SealedMark))]), SealedMark)
	if place.ContentType != ContentSealed && place.ContentType != contentSealedLetter && !unmarked {
		return nil
	}
	return &payloadFault{fmt.Errorf("%s: the payload is sealed, and this process opens none; give it the codec and the keys it was sealed with", place.Type), FaultFormat}
}

func wantContent(place Place, want string) error {
	if place.ContentType == "" || place.ContentType == want {
		return nil
	}
	return fmt.Errorf("%s: content type %q, but this type is read as %s", place.Type, place.ContentType, want)
}

// valueOf knows how to make an empty T and to decode into it: protobuf messages are pointers that need an allocation, others are not.
type valueOf[T any] struct{}

// empty gives a T that can be used: a message, where T is one.
func (valueOf[T]) empty() T {
	var zero T
	if m, ok := any(zero).(proto.Message); ok {
		return m.ProtoReflect().New().Interface().(T)
	}
	return zero
}

// decoder makes a value of a payload, and tells what is withheld of it.
type decoder func(codec Codec, place Place, data []byte) (any, Redaction, error)

// decode fills a new T and gives it without its type.
func (valueOf[T]) decode(codec Codec, place Place, data []byte) (any, Redaction, error) {
	var zero T
	if m, ok := any(zero).(proto.Message); ok {
		fresh := m.ProtoReflect().New().Interface()
		withheld, err := reveal(codec, place, data, fresh)
		if err != nil {
			return nil, Redaction{}, err
		}
		return fresh, withheld, nil
	}
	withheld, err := reveal(codec, place, data, &zero)
	if err != nil {
		return nil, Redaction{}, err
	}
	return zero, withheld, nil
}

// whole is decode where all of the payload is needed.
func (v valueOf[T]) whole(codec Codec, place Place, data []byte) (any, error) {
	value, r, err := v.decode(codec, place, data)
	if err == nil {
		err = withheld(r, place)
	}
	return value, err
}

// check says why T cannot be a payload, nil when it can.
func (valueOf[T]) check() error {
	t := reflect.TypeFor[T]()
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return fmt.Errorf("%s cannot be encoded; use a protobuf message, a struct or muster.Raw", t)
	case reflect.Interface:
		return fmt.Errorf("%s is an interface, so nothing says what to decode; use a concrete type", t)
	case reflect.Struct:
		if reflect.PointerTo(t).Implements(reflect.TypeFor[proto.Message]()) {
			return fmt.Errorf("%s is a protobuf message by value; use *%s", t, t)
		}
	}
	return nil
}
