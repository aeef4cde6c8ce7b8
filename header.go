package muster

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Header is one user header. Keys may repeat and values may be binary; order is kept.
type Header struct {
	Key   string
	Value []byte
}

// Headers are the user headers of a message. They pass from a command to its events and on to the next command.
type Headers []Header

// Get gives the first value under key, and whether there is one.
func (h Headers) Get(key string) (value []byte, ok bool) {
	for i := range h {
		if h[i].Key == key {
			return h[i].Value, true
		}
	}
	return nil, false
}

// Values gives all values under key, in order.
func (h Headers) Values(key string) [][]byte {
	var all [][]byte
	for i := range h {
		if h[i].Key == key {
			all = append(all, h[i].Value)
		}
	}
	return all
}

func (h Headers) size() int {
	n := 0
	for i := range h {
		n += len(h[i].Key) + len(h[i].Value)
	}
	return n
}

// ReservedHeader tells whether a key belongs to the toolkit (muster-), to CloudEvents (ce_) or to W3C trace context, and so is no user header.
func ReservedHeader(key string) bool {
	return strings.HasPrefix(key, "muster-") || strings.HasPrefix(key, "ce_") || key == "content-type" || key == "traceparent" || key == "tracestate"
}

// Limits of a message, checked before anything is written. Sizes are bytes.
const (
	MaxAggregateID   = 200
	MaxCommandID     = 64
	MaxType          = 200
	MaxHeaders       = 64
	MaxHeaderBytes   = 16 << 10
	MaxPayload       = 900 << 10
	MaxEvents        = 1000    // events of one command
	MaxEventBytes    = 4 << 20 // events of one command, together
	MaxStoredAnswer  = 64 << 10
	maxAnswerMessage = 4 << 10
)

// CheckAggregateID tells whether id may name an aggregate: 1 to 200 bytes of printable UTF-8 without control characters.
func CheckAggregateID(id string) error {
	return checkName("aggregate id", ReasonBadID, id, MaxAggregateID)
}

// CheckCommandID tells whether id may name a command: 1 to 64 bytes of printable UTF-8 without control characters.
func CheckCommandID(id string) error { return checkName("command id", ReasonBadID, id, MaxCommandID) }

// CheckType tells whether name may name a message type: 1 to 200 bytes of printable UTF-8 without control characters.
func CheckType(name string) error { return checkName("type", ReasonBadType, name, MaxType) }

// CheckHeaders holds user headers against their limits: 64 of them, 16 KiB together, none reserved.
func CheckHeaders(h Headers) error {
	if len(h) > MaxHeaders {
		return refuse(InvalidArgument, ReasonTooManyHeads, "%d headers; at most %d are allowed", len(h), MaxHeaders)
	}
	if n := h.size(); n > MaxHeaderBytes {
		return refuse(InvalidArgument, ReasonHeadsTooBig, "headers take %d bytes; at most %d are allowed", n, MaxHeaderBytes)
	}
	for i := range h {
		if h[i].Key == "" || !utf8.ValidString(h[i].Key) {
			return refuse(InvalidArgument, ReasonReserved, "header %d has an empty key or one that is not UTF-8", i)
		}
		if ReservedHeader(h[i].Key) {
			return refuse(InvalidArgument, ReasonReserved, "header %q is reserved for the toolkit; choose another key", h[i].Key)
		}
	}
	return nil
}

// CheckPayload holds an encoded payload against its limit of 900 KiB.
func CheckPayload(what string, n int) error {
	if n > MaxPayload {
		return refuse(InvalidArgument, ReasonTooLarge, "%s takes %d bytes encoded; at most %d are allowed", what, n, MaxPayload)
	}
	return nil
}

func checkName(what, reason, s string, limit int) error {
	if s == "" {
		return refuse(InvalidArgument, reason, "%s is missing", what)
	}
	if len(s) > limit {
		return refuse(InvalidArgument, reason, "%s has %d bytes; at most %d are allowed", what, len(s), limit)
	}
	ascii := true
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f {
			ascii = false
			break
		}
	}
	if ascii {
		return nil
	}
	if !utf8.ValidString(s) {
		return refuse(InvalidArgument, reason, "%s is not valid UTF-8", what)
	}
	for i, r := range s {
		if !unicode.IsPrint(r) {
			return refuse(InvalidArgument, reason, "%s has an unprintable character at byte %d", what, i)
		}
	}
	return nil
}
