package muster

import "strconv"

// Code says how a command ended. The numbers and the names are those of gRPC
// (https://grpc.io/docs/guides/status-codes/), so that they mean the same in every language.
type Code uint32

// The codes in use. What a caller should do with each is said at [Error].
const (
	OK                 Code = 0  // the command was decided and its events are committed
	Cancelled          Code = 1  // the caller's context was cancelled while it waited; the outcome is unknown
	Unknown            Code = 2  // an error that carries no code
	InvalidArgument    Code = 3  // the command itself is wrong: undecodable, over a limit, id reused for other content
	DeadlineExceeded   Code = 4  // ErrExpired: never executed; ErrOutcomeUnknown: the caller stopped waiting
	NotFound           Code = 5  // refused: what the command names does not exist
	AlreadyExists      Code = 6  // refused: what the command would create exists
	PermissionDenied   Code = 7  // refused: the caller may not
	ResourceExhausted  Code = 8  // refused: a quota or a limit is reached; later it may work
	FailedPrecondition Code = 9  // refused: the state does not allow it
	Aborted            Code = 10 // revision conflict: the expected revision was not the actual one
	OutOfRange         Code = 11 // refused: outside of the valid range
	Unimplemented      Code = 12 // no handler for the command type
	Internal           Code = 13 // the handler failed: a panic, a fold error, a result that cannot be encoded
	Unavailable        Code = 14 // not executed now: shutting down, no owner, broker unreachable; a retry can help
	DataLoss           Code = 15 // stored data is missing or corrupt
	Unauthenticated    Code = 16 // the caller is not known
)

var codeNames = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

// String gives the canonical name, such as FAILED_PRECONDITION.
func (c Code) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return "CODE_" + strconv.FormatUint(uint64(c), 10)
}

// Valid tells whether c is one of the canonical codes.
func (c Code) Valid() bool { return int(c) < len(codeNames) }
