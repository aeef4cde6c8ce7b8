package muster

// Value encodes and decodes the payloads of one Go type, for packages that keep values of the user's types: a protobuf message, [Raw], or
// anything encoding/json can handle.
type Value[T any] struct{}

// Empty gives a T that can be used: a new message where T is one, the zero value otherwise.
func (Value[T]) Empty() T { return valueOf[T]{}.empty() }

// Decode fills a new T. What is withheld of it is absent; [Value.Reveal] tells.
func (v Value[T]) Decode(codec Codec, place Place, data []byte) (T, error) {
	value, _, err := v.Reveal(codec, place, data)
	return value, err
}

// Reveal fills a new T and tells what is withheld of it.
func (Value[T]) Reveal(codec Codec, place Place, data []byte) (T, Redaction, error) {
	v, withheld, err := valueOf[T]{}.decode(codec, place, data)
	if err != nil {
		var none T
		return none, Redaction{}, err
	}
	return v.(T), withheld, nil
}

// Check says why T cannot be a payload, nil when it can.
func (Value[T]) Check() error { return valueOf[T]{}.check() }
