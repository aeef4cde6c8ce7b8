package muster

import "errors"

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
