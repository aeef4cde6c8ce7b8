package muster

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Error is the one typed error of a command: what a handler returns to refuse, and what Call returns to the caller.
//
//	refused by the business     any code the handler chose; [IsRefusal], and Remote is true
//	conflict                    Aborted, errors.Is ErrConflict, ConflictOf gives the actual revision
//	no handler                  Unimplemented, errors.Is ErrNoHandler
//	too late, never executed    DeadlineExceeded, errors.Is ErrExpired
//	timed out, outcome unknown  DeadlineExceeded, errors.Is ErrOutcomeUnknown; retry with the same id, CommandID has it
//	cancelled by the caller     Cancelled, errors.Is ErrOutcomeUnknown and context.Canceled
//	shutting down               Unavailable, errors.Is ErrShuttingDown
type Error struct {
	Code    Code
	Message string
	Details []*anypb.Any // typed facts for programs; see [Error.With] and [DetailOf]

	// Reason is a stable word for programs and metrics, such as "conflict" or "payload-too-large"; empty for plain refusals.
	Reason string

	// Retry says that sending the same command again, with the same id, can help.
	Retry bool

	// Remote is true when the owner of the group decided this, false when it arose on the caller's side.
	Remote bool

	// CommandID names the command that ended so, on its caller's side: sending it again with this id is safe, and Result asks for it. It is empty
	// where nothing was sent, and in what a handler returns.
	CommandID string

	toolkit bool  // made by the toolkit, not by a handler; never travels
	cause   error // what the sentinels and the context's errors are found through; never travels

	ask  *retryAsk // made by [RetryLater]; never travels
	drop bool      // made by [Drop]; never travels
}

// The sentinels that errors.Is finds in an [Error]. The first four also survive the way over the wire, by their Reason.
var (
	ErrConflict       = errors.New("expected revision does not match")
	ErrNoHandler      = errors.New("no handler for this command type")
	ErrExpired        = errors.New("deadline passed before execution; the command had no effect")
	ErrIDReused       = errors.New("command id was used before for other content")
	ErrOutcomeUnknown = errors.New("outcome unknown; retry with the same command id to learn it")
	ErrShuttingDown   = errors.New("shutting down")
	ErrNotHeld        = errors.New("partition is not held by this instance")
)

// The reasons the toolkit itself gives. They are stable: metrics, dead letters and replies carry them.
const (
	ReasonConflict      = "conflict"
	ReasonNoHandler     = "no-handler"
	ReasonExpired       = "expired"
	ReasonIDReused      = "id-reused"
	ReasonUndecodable   = "undecodable"
	ReasonPanic         = "panic"
	ReasonOverrun       = "handler-overrun"
	ReasonBadRecord     = "bad-record"
	ReasonNullValue     = "null-value"
	ReasonWrongPlace    = "wrong-partition"
	ReasonTooLarge      = "payload-too-large"
	ReasonTooManyEvents = "too-many-events"
	ReasonEventsTooBig  = "events-too-large"
	ReasonForeignEvent  = "foreign-event"
	ReasonBadResult     = "bad-result"
	ReasonTooManyHeads  = "too-many-headers"
	ReasonHeadsTooBig   = "headers-too-large"
	ReasonBadID         = "bad-id"
	ReasonBadType       = "bad-type"
	ReasonReserved      = "reserved-header"

	ReasonTooManyCommands = "too-many-commands"
	ReasonNoTarget        = "no-target"
	ReasonCallCycle       = "call-cycle"
	ReasonTooManyHops     = "too-many-hops"
	ReasonBadOption       = "bad-option"
	ReasonProgress        = "progress"
	ReasonThrottled       = "throttled"
)

var reasonErrors = map[string]error{
	ReasonConflict: ErrConflict, ReasonNoHandler: ErrNoHandler, ReasonExpired: ErrExpired, ReasonIDReused: ErrIDReused,
}

// Errorf makes a refusal. A handler returns it; the caller gets code and message unchanged.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// With adds details, any protobuf message, and returns the same error. A message that cannot be packed is left out.
func (e *Error) With(details ...proto.Message) *Error {
	for _, d := range details {
		if packed, err := anypb.New(d); err == nil {
			e.Details = append(e.Details, packed)
		}
	}
	return e
}

// Error gives code and message.
func (e *Error) Error() string {
	if e == nil {
		return Unknown.String() + ": a nil error"
	}
	return e.Code.String() + ": " + e.Message
}

// Unwrap gives the sentinel or the local cause, if there is one.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	if e.cause != nil {
		return e.cause
	}
	return reasonErrors[e.Reason]
}

// CodeOf is total: nil is OK, an [Error] has its code, the context's errors have theirs, everything else is Unknown.
func CodeOf(err error) Code {
	if err == nil {
		return OK
	}
	if e, ok := asError(err); ok {
		return e.Code
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return DeadlineExceeded
	case errors.Is(err, context.Canceled):
		return Cancelled
	}
	return Unknown
}

// ReasonOf gives the [Error]'s Reason, or "" when err is none or has none.
func ReasonOf(err error) string {
	if e, ok := asError(err); ok {
		return e.Reason
	}
	return ""
}

// asError finds the typed error. A nil *Error in an error value is none: it is what a function that returns *Error gives by mistake.
func asError(err error) (*Error, bool) {
	e, ok := errors.AsType[*Error](err)
	return e, ok && e != nil
}

// ConflictOf gives the actual revision of the aggregate when err is a revision conflict.
func ConflictOf(err error) (actual uint64, ok bool) {
	if ReasonOf(err) != ReasonConflict {
		return 0, false
	}
	revision, ok := DetailOf[*wrapperspb.UInt64Value](err)
	return revision.GetValue(), ok
}

// DetailOf finds the first detail of type D in err.
func DetailOf[D proto.Message](err error) (D, bool) {
	var none D
	e, ok := asError(err)
	if !ok {
		return none, false
	}
	for _, packed := range e.Details {
		m, unpackErr := anypb.UnmarshalNew(packed, unmarshal)
		if unpackErr != nil {
			continue
		}
		if d, is := m.(D); is {
			return d, true
		}
	}
	return none, false
}

// refusalOf turns whatever a handler returned into the typed refusal that travels.
func refusalOf(err error) *Error {
	e, ok := asError(err)
	if !ok {
		return &Error{Code: CodeOf(err), Message: textOf(err)}
	}
	if e.Code == OK {
		return &Error{Code: Unknown, Reason: e.Reason, Message: e.Message, Details: e.Details, Retry: e.Retry}
	}
	return e
}

// poison tells whether a refusal goes to the dead letters: the toolkit could not have the command decided, rather than the business
// refusing it, and nobody but an operator can mend that. For an erased subject nobody can.
func (e *Error) poison() bool {
	return e.toolkit && e.Reason != ReasonConflict && e.Reason != ReasonIDReused && e.Reason != ReasonErased
}

// lasting tells whether a refusal is the command's answer for good, given again to every repeat of its id. Poison is not: a mended
// owner may yet decide it.
func (e *Error) lasting() bool { return !e.Retry && (!e.toolkit || e.Reason == ReasonConflict) }

// textOf is err.Error for errors that may be typed nils.
func textOf(err error) (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("a nil %T", err)
		}
	}()
	return err.Error()
}

func refuse(code Code, reason, format string, args ...any) *Error {
	return &Error{Code: code, Reason: reason, Message: fmt.Sprintf(format, args...), toolkit: true}
}

func local(code Code, cause error, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), cause: cause, toolkit: true}
}
