package muster

import (
	"context"
	"fmt"
	"sync/atomic"

	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Unit is the commands of one aggregate in a slice of a round, in log order. Units of a slice may run at once; one goroutine runs a
// unit. While its handler is running, another one may [Unit.GiveUp] the command in hand and then run the rest.
type Unit struct {
	round *Round
	owned *owned
	r     *resident
	items []int      // indexes into the round's commands
	first [1]int     // where items begins: nearly all units have one
	at    int        // the item in hand; belongs to whoever owns the turn
	mark  int        // len(r.accepted) before the unit
	x     *execution // in hand; belongs to whoever owns the turn

	blocked bool // its aggregate waited when the unit began
	careful bool // encode the state after each command, to find the one at fault

	// turn is odd while a handler runs. Run makes it odd, and it or GiveUp makes it even again: who does so owns the result.
	turn atomic.Uint64
}

// Turn changes with every command that begins and ends; it is odd while a handler runs.
func (u *Unit) Turn() uint64 { return u.turn.Load() }

// Run decides the commands one after another. It reports false when the command in hand was given up: then another goroutine runs the
// rest, and this one touches nothing any more.
func (u *Unit) Run(ctx context.Context) bool {
	for again := true; again; again = u.finish() {
		for ; u.at < len(u.items) && !u.round.failed(); u.at++ {
			if err := context.Cause(ctx); err != nil { // the process is ending: nothing of the round may be committed
				u.round.fail(err)
				break
			}
			i := u.items[u.at]
			x := u.prepare(i)
			if x == nil {
				continue
			}
			u.x = x
			turn := u.turn.Add(1)
			outcome, refusal := u.round.p.invoke(ctx, x)
			if !u.turn.CompareAndSwap(turn, turn+1) {
				return false
			}
			u.settle(i, x, outcome, refusal)
		}
	}
	return true
}

// GiveUp refuses the command whose handler has been running since the given turn, which was odd. It reports false when that handler has
// returned meanwhile. After true the caller must see to it that Run is called again, on another goroutine.
func (u *Unit) GiveUp(turn uint64) bool {
	if turn%2 == 0 || !u.turn.CompareAndSwap(turn, turn+1) {
		return false
	}
	u.x.gone.Store(true)
	i := u.items[u.at]
	refusal := overrun(&u.round.batch.Commands[i])
	u.rollback()
	u.refuse(i, refusal)
	u.at++
	return true
}

// prepare answers what needs no handler, and otherwise gives the execution to run.
func (u *Unit) prepare(i int) *execution {
	cmd, p := &u.round.batch.Commands[i], u.round.p
	cmd.Revision = 0 // not known yet, whatever an earlier attempt left there
	if u.waits(i) {
		return nil
	}
	if !noDedup && !p.behaviour.isQuery(cmd.Type) && u.repeat(i) {
		return nil
	}
	if p.expired(cmd, u.round.batch.Now) {
		u.refuse(i, refuse(DeadlineExceeded, ReasonExpired, "%s arrived after its deadline and was not executed; the owner is behind or the timeout too short", cmd.Type))
		return nil
	}
	if cmd.Type == ResultQuery {
		u.recall(i)
		return nil
	}
	if err := p.load(u.owned.partition, u.r); err != nil {
		u.unreadable(i, err)
		return nil
	}
	cmd.Revision = u.r.revision
	if !cmd.Expected.allows(u.r.revision) {
		u.refuse(i, conflict(cmd, u.r.revision))
		return nil
	}
	return &execution{
		p: p, behaviour: p.behaviour, codec: p.codec, cmd: *cmd, now: u.round.batch.Now,
		revision: u.r.revision, state: u.r.state,
	}
}

// repeat answers a command whose id was answered before, in this round or an earlier one.
func (u *Unit) repeat(i int) bool {
	round, cmd := u.round, &u.round.batch.Commands[i]
	d := &round.decided[i]
	d.fingerprint = cmd.fingerprint(round.p.codec)
	if d.first != i {
		earlier := &round.decided[round.latest(d.first)]
		switch {
		case !earlier.lasting:
			earlier.again = i // it had no lasting answer: this one is executed, and later repeats look here
		case earlier.fingerprint != d.fingerprint && !reusedIDAnswers:
			u.refuse(i, idReused(cmd))
			return true
		default:
			d.repeats, d.outcome = earlier, earlier.outcome
			return true
		}
	}
	known, found, err := round.p.states.Answered(u.owned.partition, cmd.ID)
	if err != nil {
		round.fail(err)
		return true
	}
	if !found {
		return false
	}
	if known.Fingerprint != d.fingerprint && !reusedIDAnswers {
		u.refuse(i, idReused(cmd))
		return true
	}
	outcome, err := known.outcome(round.p, u.owned.partition)
	if err != nil {
		round.fail(err)
		return true
	}
	d.outcome = outcome
	return true
}

// settle takes the result of an execution whose turn is owned.
func (u *Unit) settle(i int, x *execution, outcome *Outcome, refusal *Error) {
	d := &u.round.decided[i]
	if u.pauses(x) {
		return
	}
	if x.spoilt {
		u.rollback()
		x = &execution{readOnly: refusal == nil && x.readOnly} // the spoilt one may still be in somebody's hands
	}
	if refusal == nil && u.careful && len(x.events) > 0 {
		if refusal = u.encodable(x); u.round.failed() {
			return
		}
	}
	if refusal != nil {
		if refusedKeepsEvents && len(x.events) > 0 {
			d.events, d.r = x.events, u.r
			u.r.accepted = append(u.r.accepted, x.events)
		} else if len(x.events) > 0 || refusal.Reason == ReasonPanic || refusal.Reason == ReasonOverrun {
			u.rollback()
		}
		if refusal = u.setAside(i, refusal); refusal != nil {
			u.refuse(i, refusal)
		}
		return
	}
	d.outcome = outcome
	if x.readOnly {
		return
	}
	d.lasting = true
	d.stored = storedForm(outcome)
	d.written = x.written
	u.round.produced.Add(int64(x.bytes + len(d.stored)))
	if !noOverlay {
		u.r.state, u.r.revision = x.state, x.revision
	}
	for k := range x.events {
		u.round.p.noteSubjects(u.r, x.events[k].Payload)
	}
	if len(x.events) == 0 {
		return
	}
	for k := range x.events {
		x.events[k].Count = len(x.events)
	}
	last := &x.events[len(x.events)-1]
	last.Answer, last.Fingerprint = d.stored, d.fingerprint
	d.events, d.r = x.events, u.r
	u.r.accepted = append(u.r.accepted, x.events)
}

func (u *Unit) encodable(x *execution) *Error {
	r := &resident{id: u.r.id, state: x.state, revision: x.revision}
	if _, err := u.round.p.encodeState(r); err != nil {
		if PayloadFaultOf(err) != FaultUndecodable {
			u.unkept(err)
		}
		return refuse(Internal, ReasonBadResult, "the state after %s cannot be encoded: %v", x.cmd.Type, err)
	}
	return nil
}

func (u *Unit) refuse(i int, refusal *Error) {
	cmd, d := &u.round.batch.Commands[i], &u.round.decided[i]
	d.outcome = outcomeOf(refusal)
	d.outcome.Revision = cmd.Revision
	if u.round.p.behaviour.isQuery(cmd.Type) {
		return
	}
	if refusal.lasting() && !refusalForgotten {
		d.lasting, d.stored = true, storedForm(d.outcome)
	}
	if refusal.poison() {
		u.round.bury(i, refusal)
	}
}

// rollback makes the next use fold the stored state and what was accepted in this round again; the state in hand may be half changed.
func (u *Unit) rollback() {
	accepted := u.r.accepted
	u.r.unload()
	u.r.accepted = accepted
}

// finish encodes the state once for all commands of the unit. Where that fails, they are decided again, encoding after each, so that
// only the command at fault is refused. It tells whether the unit must run again.
func (u *Unit) finish() (again bool) {
	if u.round.failed() || len(u.r.accepted) == 0 || len(u.r.accepted) == u.mark && u.r.encoded != nil {
		return false
	}
	if err := u.round.p.load(u.owned.partition, u.r); err != nil {
		u.round.fail(u.paused(err))
		return false
	}
	data, err := u.round.p.encodeState(u.r)
	if err == nil {
		u.r.encoded = data
		return false
	}
	if PayloadFaultOf(err) != FaultUndecodable {
		u.unkept(err)
		return false
	}
	if u.careful {
		u.round.fail(fmt.Errorf("%s[%d]: the state of an aggregate cannot be encoded: %w", u.round.p.behaviour.group.name, u.owned.partition, err))
		return false
	}
	u.r.accepted = u.r.accepted[:u.mark]
	u.rollback()
	for _, i := range u.items {
		u.round.decided[i].reset()
	}
	if !u.blocked {
		u.r.blocked = 0
	}
	u.at, u.careful = 0, true
	return true
}

func conflict(cmd *Command, actual uint64) *Error {
	expected, _ := cmd.Expected.Exact()
	e := refuse(Aborted, ReasonConflict, "aggregate %q is at revision %d, not %d; read it and decide again", cmd.AggregateID, actual, expected)
	return e.With(wrapperspb.UInt64(actual))
}

func idReused(cmd *Command) *Error {
	return refuse(InvalidArgument, ReasonIDReused, "command id %q was used before for another command; a retry must send the same type, aggregate and payload", cmd.ID)
}
