package muster

// pauseFor notes that a command cannot be decided now, where that is what the error of a codec says. A query is answered so instead: it has no
// effect that would have to wait.
func (x *execution) pauseFor(err error) {
	if !x.readOnly && PayloadFaultOf(err).Passing() {
		x.wait.CompareAndSwap(nil, &PayloadWait{Partition: x.cmd.Partition, Cause: err})
	}
}

// unmade is the refusal of a command whose event, answer or written command could not be encoded.
func (x *execution) unmade(err error, format string, args ...any) *Error {
	x.pauseFor(err)
	return refuseFault(err, Internal, ReasonBadResult, format, args...)
}

// verdict is what an error of the handler means. One that a codec has given it, and that it passes on, means what it would have in the toolkit's own
// hands: a handler that decodes for itself must not turn an outage into a refusal.
func (x *execution) verdict(err error) *Error {
	x.pauseFor(err)
	refusal := verdict(err, x.readOnly)
	switch class := PayloadFaultOf(err); class {
	case FaultMissing, FaultTampered, FaultFormat:
		refusal.toolkit = !x.readOnly
	case FaultUndecodable, FaultUnavailable, FaultNoAccess, FaultErased:
	}
	return refusal
}

// waits hands what an execution waits for to the round. It reports false where the command was decided.
func (u *Unit) pauses(x *execution) bool {
	wait := x.wait.Load()
	if wait == nil {
		return false
	}
	u.round.fail(wait)
	return true
}

// unreadable is what becomes of a command whose aggregate's state could not be loaded.
func (u *Unit) unreadable(i int, err error) {
	class := PayloadFaultOf(err)
	if class.Passing() && u.round.p.behaviour.isQuery(u.round.batch.Commands[i].Type) {
		u.refuse(i, refuseFault(err, Internal, ReasonBadResult, "the state cannot be read now: %v", err))
		return
	}
	u.round.fail(u.paused(err))
}

// paused makes a wait of an error that passes, so that nobody takes it for a damage.
func (u *Unit) paused(err error) error {
	if PayloadFaultOf(err).Passing() {
		return &PayloadWait{Partition: u.owned.partition, Cause: err}
	}
	return err
}

// unkept fails the round because a state cannot be sealed, which is no command's fault.
func (u *Unit) unkept(err error) {
	if PayloadFaultOf(err).Passing() {
		u.round.fail(u.paused(err))
		return
	}
	u.round.fail(&StateFault{Partition: u.owned.partition, AggregateID: u.r.id, Cause: err})
}
