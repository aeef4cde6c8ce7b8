package crypto

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is bytes that must not be seen: every way of printing, logging and encoding it says whether it is set, and no more. Convert it to []byte
// to use it; it cannot travel in a payload.
type Secret []byte

// String gives "(set)" or "(unset)".
func (s Secret) String() string {
	if len(s) == 0 {
		return "(unset)"
	}
	return "(set)"
}

// GoString implements [fmt.GoStringer].
func (s Secret) GoString() string { return "crypto.Secret" + s.String() }

// Format implements [fmt.Formatter], for all verbs.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText implements [encoding.TextMarshaler], and with it JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue implements [slog.LogValuer].
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
