package kafka

import (
	"errors"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/mutant"
)

// printable tells whether b is UTF-8 without control characters.
func printable(b []byte) bool {
	for _, c := range b {
		if c < 0x20 || c >= 0x7f {
			return printableUnicode(b)
		}
	}
	return true
}

func printableUnicode(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	for _, r := range string(b) {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// checkText asks the root's check only about texts that are not plain ASCII of a sensible length, so that the common case makes no string.
func checkText(b []byte, check func(string) error) error {
	if len(b) > 0 && len(b) <= muster.MaxCommandID && ascii(b) {
		return nil
	}
	return check(string(b))
}

func ascii(b []byte) bool {
	for _, c := range b {
		if c < 0x20 || c >= 0x7f {
			return false
		}
	}
	return true
}

// cut shortens b to at most n bytes, at the beginning of a character.
func cut(b []byte, n int) []byte {
	if len(b) <= n {
		return b
	}
	for n > 0 && !utf8.RuneStart(b[n]) {
		n--
	}
	return b[:n]
}

// quoted shows the beginning of a header's value in an error, with everything unprintable escaped.
func quoted(b []byte) string { return strconv.QuoteToASCII(string(cut(b, 40))) }

// messageOf gives the text of a [muster.Error] without its code.
func messageOf(err error) string {
	if e, ok := errors.AsType[*muster.Error](err); ok {
		return e.Message
	}
	return err.Error()
}

// notNull makes an empty value of a null one, because a null value is a tombstone.
func notNull(b []byte) []byte {
	if b == nil && !mutant.EmptyIsNull {
		return []byte{}
	}
	return b
}
