package muster

import (
	"errors"
	"fmt"
)

// PayloadFault classifies why a [Codec] could not read or make a payload. The engine acts on it: what cannot be read now is waited for, what
// can never be read is refused, stops a partition or is parked, and neither is ever taken for the other.
type PayloadFault uint8

// The classes of a codec's errors.
const (
	// FaultUndecodable is any error that says nothing else: the bytes are not what the type needs.
	FaultUndecodable PayloadFault = iota
	// FaultUnavailable means that what is needed to read or to make the payload cannot be reached now; nothing is known about the payload.
	FaultUnavailable
	// FaultMissing means that a key is needed that does not exist, although nothing says that it was destroyed.
	FaultMissing
	// FaultTampered means that the payload is not what was sealed for this place.
	FaultTampered
	// FaultFormat means that the payload is of a version or kind that this build does not know.
	FaultFormat
	// FaultNoAccess means that this process has no right to the key.
	FaultNoAccess
	// FaultErased means that the payload belongs to a subject whose keys are destroyed, where nothing may be made for it any more.
	FaultErased
)

// The reasons that go with the classes of faults. They are stable: refusals, dead letters, partitions and metrics carry them.
const (
	ReasonKeyUnavailable = "key-unavailable"
	ReasonKeyMissing     = "key-missing"
	ReasonTampered       = "tampered"
	ReasonSealedFormat   = "sealed-format"
	ReasonNoAccess       = "no-access"
	ReasonErased         = "erased"
)

// Reason gives the stable word for the class.
func (f PayloadFault) Reason() string {
	switch f {
	case FaultUndecodable:
		return ReasonUndecodable
	case FaultUnavailable:
		return ReasonKeyUnavailable
	case FaultMissing:
		return ReasonKeyMissing
	case FaultTampered:
		return ReasonTampered
	case FaultFormat:
		return ReasonSealedFormat
	case FaultNoAccess:
		return ReasonNoAccess
	case FaultErased:
		return ReasonErased
	}
	return ReasonUndecodable
}

// Passing tells that nothing is wrong with the payload: a key store has to come back, or a right to be given. It is waited for.
func (f PayloadFault) Passing() bool { return f == FaultUnavailable || f == FaultNoAccess }

// code gives the code of a refusal for the fault.
func (f PayloadFault) code() Code {
	switch f {
	case FaultUnavailable:
		return Unavailable
	case FaultMissing, FaultTampered:
		return DataLoss
	case FaultNoAccess:
		return PermissionDenied
	case FaultErased:
		return FailedPrecondition
	case FaultUndecodable, FaultFormat:
	}
	return InvalidArgument
}

// PayloadWait says that a payload of a partition cannot be read or made now, for no fault of its own. Nothing of the round may be committed;
// the partition waits until it can.
type PayloadWait struct {
	Partition int32
	Cause     error
}

// Error names the partition and the cause.
func (w *PayloadWait) Error() string {
	return fmt.Sprintf("partition %d waits: %v", w.Partition, w.Cause)
}

// Unwrap gives the cause.
func (w *PayloadWait) Unwrap() error { return w.Cause }

// payloadFault is the fault of a codec whose error has no class of its own.
type payloadFault struct {
	error
	class PayloadFault
}

// Fault gives the class.
func (f *payloadFault) Fault() PayloadFault { return f.class }

// refuseFault makes a refusal of a codec's error. other is what stands for an error without a class.
func refuseFault(err error, otherCode Code, otherReason, format string, args ...any) *Error {
	class := PayloadFaultOf(err)
	code, reason := class.code(), class.Reason()
	if class == FaultUndecodable {
		code, reason = otherCode, otherReason
	}
	e := refuse(code, reason, format, args...)
	e.Retry = class == FaultUnavailable
	if class != FaultUndecodable {
		e.cause = err
	}
	return e
}

// withheld makes an error of a redaction where all of a payload is needed: [FaultNoAccess] where others can read it, else [FaultErased]. Nil where
// nothing is withheld.
func withheld(r Redaction, place Place) error {
	switch {
	case r.Access == AccessOpen:
		return nil
	case r.denied():
		return &payloadFault{fmt.Errorf("%s: this process has no right to a key it needs", place.Type), FaultNoAccess}
	}
	return &payloadFault{fmt.Errorf("%s: its data belongs to an erased subject", place.Type), FaultErased}
}

// PayloadFaultOf gives the class of a codec's error: what the first error in its tree says that has a method Fault() PayloadFault.
func PayloadFaultOf(err error) PayloadFault {
	if f, ok := errors.AsType[interface {
		error
		Fault() PayloadFault
	}](err); ok {
		return f.Fault()
	}
	return FaultUndecodable
}
