package kafka

import (
	"fmt"
	"log/slog"
)

// Secret is a text that is never printed: fmt, slog and the encoders of JSON and text write a mask instead, also when it is deep inside of a
// struct. string(s) gives the text itself.
type Secret string

const secretMask = "(secret)"

// masked is what is printed: that there is a secret may be seen.
func (s Secret) masked() string {
	if s == "" {
		return ""
	}
	return secretMask
}

// Format implements [fmt.Formatter] for every verb, %q, %x and %#v too.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.masked())) }

// String implements [fmt.Stringer].
func (s Secret) String() string { return s.masked() }

// LogValue implements [slog.LogValuer].
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.masked()) }

// MarshalText implements encoding.TextMarshaler, which encoding/json asks as well.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.masked()), nil }
