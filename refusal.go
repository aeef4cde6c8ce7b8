package muster

// IsRefusal tells whether err is the business saying no: a handler of the command's owner, or a middleware around it, has decided against it.
// The outcome is known: of the command there is no event. Code and details say why, and [Error].Retry whether it may be otherwise later.
//
// Every other end is none: an unknown outcome, a command that was never sent, a conflict ([ErrConflict]), and what the toolkit itself has
// against a command, such as a type without a handler, a deadline that had passed or a handler that panicked.
func IsRefusal(err error) bool {
	e, ok := asError(err)
	return ok && e.Remote && !toolkitReason(e.Reason)
}

// toolkitReason tells that the toolkit gives such a reason to commands it could not have decided, or whose repeat it refuses. One that a
// handler made up is not among them, and neither is that of [Throttle], which is middleware like any other.
func toolkitReason(reason string) bool {
	switch reason {
	case ReasonConflict, ReasonNoHandler, ReasonExpired, ReasonIDReused, ReasonUndecodable, ReasonPanic, ReasonOverrun, ReasonBadRecord,
		ReasonNullValue, ReasonWrongPlace, ReasonTooLarge, ReasonTooManyEvents, ReasonEventsTooBig, ReasonForeignEvent, ReasonBadResult,
		ReasonTooManyHeads, ReasonHeadsTooBig, ReasonBadID, ReasonBadType, ReasonReserved, ReasonTooManyCommands, ReasonNoTarget,
		ReasonCallCycle, ReasonTooManyHops, ReasonBadOption, ReasonProgress, ReasonRetriesExhausted, ReasonDropped,
		ReasonKeyUnavailable, ReasonKeyMissing, ReasonTampered, ReasonSealedFormat, ReasonNoAccess, ReasonErased:
		return true
	}
	return false
}
