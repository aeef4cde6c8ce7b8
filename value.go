package muster

// Value encodes and decodes the payloads of one Go type, for packages that keep values of the user's types: a protobuf message, [Raw], or
// anything encoding/json can handle.
type Value[T any] struct{}

// Empty gives a T that can be used: a new message where T is one, the zero value otherwise.
func (Value[T]) Empty() T { return valueOf[T]{}.empty() }

// Decode fills a new T.
func (Value[T]) Decode(codec Codec, place Place, data []byte) (T, error) {
	v, err := valueOf[T]{}.decode(codec, place, data)
	if err != nil {
		var none T
		return none, err
	}
	return v.(T), nil
}

// Check says why T cannot be a payload, nil when it can.
func (Value[T]) Check() error { return valueOf[T]{}.check() }
