package projector

import (
	"errors"
	"fmt"
	"time"

	"github.com/seed-3eec0498/muster"
)

// Outcome is what becomes of an event that cannot be handled.
type Outcome uint8

const (
	// Park puts the event aside, durably and with its cause, and every later event of its key behind it; all other keys go on. The parked
	// events are handled in order when an operator retries them. The default for failures and undecodable events.
	Park Outcome = iota
	// Stop stops the partition at the event, until an operator resumes or skips it. The other partitions go on.
	Stop
	// Skip puts the event aside as a dead letter, which can be inspected and retried, and goes on with the next one of its key.
	Skip
	// Ignore counts the event and goes on without a trace in the target. Only for unknown types, where it is the default.
	Ignore
)

// Policy says how often a failing event is tried and what happens then. The zero value means the defaults.
type Policy struct {
	// Tries is how often the function is run before Then. Zero means 5; for undecodable and unknown events, which do not get better, 1.
	Tries int
	// First and Top bound the pause before another try; it doubles each time and has jitter. Zero means 200 ms and 30 s.
	First, Top time.Duration
	// Then is what happens after the last try.
	Then Outcome
}

// The reasons an event cannot be handled, as policies, metrics and letters name them.
const (
	ReasonHandler     = muster.ReasonHandler     // the function returned an error
	ReasonPanic       = muster.ReasonPanic       // the function panicked
	ReasonDeadline    = "deadline"               // the function did not return in time
	ReasonUndecodable = muster.ReasonUndecodable // the payload cannot be decoded by this build
	ReasonBadRecord   = muster.ReasonBadRecord   // the record claims to be an event and is none; it has no key, so it cannot be parked
	ReasonUnknownType = muster.ReasonUnknownType // the contract of this build has no such event
)

// OnFailure says what happens when a function fails: returns an error, panics, overruns its deadline.
func OnFailure(p Policy) Option { return policyFor(p, ReasonHandler, ReasonPanic, ReasonDeadline) }

// OnUndecodable says what happens with an event that this build cannot decode.
func OnUndecodable(o Outcome) Option { return policyFor(Policy{Tries: 1, Then: o}, ReasonUndecodable) }

// OnBadRecord says what happens with a record that claims to be an event and is none. The default is Stop; Park is not possible.
func OnBadRecord(o Outcome) Option { return policyFor(Policy{Tries: 1, Then: o}, ReasonBadRecord) }

// OnUnknown says what happens with an event whose type the group's contract of this build does not have, and that no [OnOthers] takes. The
// default is Ignore.
func OnUnknown(o Outcome) Option { return policyFor(Policy{Tries: 1, Then: o}, ReasonUnknownType) }

func policyFor(p Policy, reasons ...string) Option {
	return func(d *Definition) {
		for _, reason := range reasons {
			d.failures[reason] = p
		}
	}
}

func defaultPolicies() map[string]Policy {
	return map[string]Policy{
		ReasonHandler: {}, ReasonPanic: {}, ReasonDeadline: {}, ReasonUndecodable: {Tries: 1},
		ReasonBadRecord: {Tries: 1, Then: Stop}, ReasonUnknownType: {Tries: 1, Then: Ignore},
	}
}

// policy gives the policy for a reason, with its defaults.
func (d *Definition) policy(reason string) Policy {
	p := d.failures[reason]
	if p.Tries == 0 {
		p.Tries = 5
	}
	if p.First == 0 {
		p.First = 200 * time.Millisecond
	}
	if p.Top == 0 {
		p.Top = max(p.First, 30*time.Second)
	}
	return p
}

func (d *Definition) policyFaults() []error {
	var faults []error
	add := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf("projection "+d.String()+": "+format, args...))
		}
	}
	for reason, p := range d.failures {
		add(p.Tries < 0 || p.First < 0 || p.Top < 0 || p.Top > 0 && p.Top < p.First, "policy for %s: tries and pauses are not negative, and Top is not below First", reason)
		add(p.Then > Ignore && p.Then != Rebuild, "policy for %s: unknown outcome %d", reason, p.Then)
		add(p.Then == Ignore && reason != ReasonUnknownType, "policy for %s: Ignore is for unknown types; use Skip, which leaves a dead letter", reason)
		add(p.Then == Rebuild, "policy for %s: Rebuild is for OnUnfit; use Park, Skip or Stop", reason)
		add(p.Then == Park && reason == ReasonBadRecord, "policy for %s: such a record has no key to park; use Stop or Skip", reason)
	}
	return faults
}

// Given by a function, these choose what happens to its event, whatever the policy says.
type verdict struct {
	error
	then Outcome
	wait bool
}

// Unwrap gives the cause.
func (v *verdict) Unwrap() error { return v.error }

// ToPark makes an error that parks the event's key at once.
func ToPark(err error) error { return &verdict{error: err, then: Park} }

// ToSkip makes an error that skips the event at once, with a dead letter.
func ToSkip(err error) error { return &verdict{error: err, then: Skip} }

// ToStop makes an error that stops the partition at once.
func ToStop(err error) error { return &verdict{error: err, then: Stop} }

// ToWait makes an error that says: nothing is wrong with the event, something it needs is away. It is tried again for as long as it takes, with
// the pauses of the policy, and its partition waits.
func ToWait(err error) error { return &verdict{error: err, wait: true} }

// verdictOf gives what the function chose, nil where it left it to the policy.
func verdictOf(err error) *verdict {
	v, _ := errors.AsType[*verdict](err)
	return v
}
