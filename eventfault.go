package muster

// FaultPolicy says what becomes of an event that a subscription could not handle.
type FaultPolicy uint8

const (
	// FaultRetry tries the event again, for ever, after a pause that grows from 100 ms to 30 s with jitter. The later events of its partition
	// wait, the other partitions go on.
	FaultRetry FaultPolicy = iota
	// FaultStop ends the subscription with the fault as its error. The event is the first one when it runs again.
	FaultStop
	// FaultSkip counts and logs the event and goes on with the next one.
	FaultSkip
)

// The reasons of an [EventFault] that are not refusals of commands, too.
const (
	ReasonHandler     = "handler"
	ReasonUnknownType = "unknown-type"
)

// HandlerFaults says what a subscription does when a function returns an error or panics. The default is [FaultRetry]. An error because a key cannot be had
// now, such as that of a command which the function sends, is always tried again.
func HandlerFaults(p FaultPolicy) SubscriptionOption { return policy(p, ReasonHandler, ReasonPanic) }

// UndecodableEvents says what a subscription does with an event that this build cannot decode, and with a malformed record. The default is
// [FaultRetry]: the partition waits for a build that can.
func UndecodableEvents(p FaultPolicy) SubscriptionOption {
	return policy(p, ReasonUndecodable, ReasonBadRecord)
}

// UnknownEvents says what a subscription without [OnOthers] does with an event whose type the group's contract of this build does not have.
// The default is [FaultSkip].
func UnknownEvents(p FaultPolicy) SubscriptionOption { return policy(p, ReasonUnknownType) }

func policy(p FaultPolicy, reasons ...string) SubscriptionOption {
	return subscriptionOption(func(s *Subscription) {
		if p > FaultSkip {
			s.faultf("unknown fault policy %d; choose FaultRetry, FaultStop or FaultSkip", p)
		}
		for _, reason := range reasons {
			s.policies[reason] = p
		}
	})
}

// sealed makes a fault of an error of the codec that has a class; nil where err is none. It is not for what a function gave, whose text may hold
// anything. Nothing is skipped then: a key that is away is waited for, and what cannot be read for another reason stops the subscription where its policy for undecodable events would skip.
func (s *Subscription) sealed(ev *Event, err error) *EventFault {
	class := PayloadFaultOf(err)
	if class == FaultUndecodable || class == FaultErased {
		return nil
	}
	f := &EventFault{Subscription: s.name, Position: ev.Position(), Reason: class.Reason(), Policy: s.policies[ReasonUndecodable], Cause: err}
	switch {
	case class.Passing():
		f.Policy = FaultRetry
	case f.Policy == FaultSkip:
		f.Policy = FaultStop
	}
	return f
}

// EventFault is why an event could not be handled, and what the subscription wants done about it.
type EventFault struct {
	Subscription string
	Position     Position
	Reason       string // one of [ReasonHandler], [ReasonPanic], [ReasonUndecodable], [ReasonBadRecord], [ReasonUnknownType], or that of a [PayloadFault]
	Policy       FaultPolicy
	Cause        error
}

// Fault makes the fault of an event, with the policy for its reason.
func (s *Subscription) Fault(at Position, reason string, cause error) *EventFault {
	return &EventFault{Subscription: s.name, Position: at, Reason: reason, Policy: s.policies[reason], Cause: cause}
}

// Error names subscription, position and cause.
func (f *EventFault) Error() string {
	return "subscription " + f.Subscription + ": " + f.Position.String() + ": " + f.Reason + ": " + f.Cause.Error()
}

// Unwrap gives the cause.
func (f *EventFault) Unwrap() error { return f.Cause }
