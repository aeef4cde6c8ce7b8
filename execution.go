package muster

import (
	"context"
	"fmt"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"
)

// execution is one command in the hands of its handler. Nothing of it is shared until the unit takes its result, so an execution whose
// handler overran its deadline can be abandoned.
type execution struct {
	p         *Processor
	behaviour *Behaviour
	codec     Codec
	cmd       Command // a copy: a handler that was given up may go on reading it
	now       time.Time
	state     any // folded in place
	revision  uint64
	events    []Event
	written   []Written
	bytes     int // of events and written commands
	readOnly  bool
	closed    bool                        // the handler has returned
	spoilt    bool                        // a middleware made something else of its refusal, or did not wait for it: nothing of it is kept
	gone      atomic.Bool                 // set by Unit.GiveUp, read by a Writer: nobody takes the result any more
	fault     *Error                      // the first thing wrong with what was emitted; refuses the command
	wait      atomic.Pointer[PayloadWait] // not nil: the command is not decided, because a key cannot be had now
}

// emit appends and folds one event. It is called on the handler's goroutine.
func (x *execution) emit(g *Group, name string, v any) {
	if x.closed {
		panic("muster: " + name + " emitted after the decide function returned; emit before you return") //nolint:forbidigo // a bug of the caller that no return value could tell
	}
	if x.fault != nil {
		return
	}
	evolve, known := x.behaviour.evolver(name)
	switch {
	case g != x.behaviour.group:
		x.fault = refuse(Internal, ReasonForeignEvent, "event %s belongs to group %s and cannot be emitted by group %s; send that group a command", name, g.name, x.behaviour.group.name)
		return
	case !known:
		x.fault = refuse(Internal, ReasonForeignEvent, "event %s has no evolve function in group %s; add muster.Evolve", name, g.name)
		return
	case len(x.events) == MaxEvents:
		x.fault = refuse(InvalidArgument, ReasonTooManyEvents, "command %s emits more than %d events; split it", x.cmd.Type, MaxEvents)
		return
	}
	if x.behaviour.zero == nil {
		if x.fault = undeclared(g, name); x.fault != nil {
			return
		}
	}
	x.revision++
	e := x.event(name)
	// What is folded is what a reader of the journal will decode, not the value in the handler's hands: that may have parts that do not
	// travel, and the handler may change it later.
	travelled, withheld, err := evolve.write(x.codec, &e, v)
	if err != nil {
		x.fault = x.unmade(err, "event %v", err)
		return
	}
	if err := CheckPayload("event "+name, len(e.Payload)); err != nil {
		x.fault = refusalOf(err)
		return
	}
	if x.bytes += len(e.Payload); x.bytes > MaxEventBytes {
		x.fault = refuse(InvalidArgument, ReasonEventsTooBig, "the events of command %s take more than %d bytes; split it", x.cmd.Type, MaxEventBytes)
		return
	}
	x.events = append(x.events, e)
	x.state = x.behaviour.apply(evolve, x.state, travelled, withheld)
}

// undeclared says why name cannot be an event of a group without state, which needs no declaration of it.
func undeclared(g *Group, name string) *Error {
	if err := CheckType(name); err != nil {
		return refusalOf(err)
	}
	if kind := g.kindOf(name); kind != "" && kind != "event" {
		return refuse(Internal, ReasonBadType, "%s is %s of group %s and cannot be its event; choose another name", name, article(kind), g.name)
	}
	return nil
}

// event makes the next event of the command, without its payload. Its id is derived, so that a re-execution makes the same one.
func (x *execution) event(name string) Event {
	index := len(x.events)
	if otherIDs {
		index += x.cmd.Attempt
	}
	return Event{
		Meta: Meta{
			ID: x.cmd.ID + "/" + strconv.Itoa(index), Type: name, Group: x.behaviour.group.name, AggregateID: x.cmd.AggregateID,
			Revision: x.revision, Time: x.now, CorrelationID: x.cmd.CorrelationID, CausationID: x.cmd.ID,
			TraceParent: x.cmd.TraceParent, TraceState: x.cmd.TraceState, Headers: x.cmd.Headers, Partition: x.cmd.Partition,
		},
		Index: index,
	}
}

// run decodes the command, calls its handler and encodes the result. A panic is a refusal; its text stays out of the answer's message
// where it could hold payload, so only the panic's type and place are told.
func (x *execution) run(ctx context.Context) (outcome *Outcome, refusal *Error) {
	defer func() {
		x.closed = true
		if v := recover(); v != nil {
			outcome, refusal = nil, panicked("handler of "+x.cmd.Type, v)
		}
	}()
	place := Place{
		Purpose: PurposeCommand, Group: x.behaviour.group.name, Type: x.cmd.Type, AggregateID: x.cmd.AggregateID,
		MessageID: x.cmd.ID, ContentType: x.cmd.ContentType,
	}
	reaction, known := x.behaviour.reaction(x.cmd.Type)
	if !known {
		return nil, refuse(Unimplemented, ReasonNoHandler, "group %s has no handler for %s; is the owner older than the caller?", place.Group, x.cmd.Type)
	}
	x.readOnly = reaction.query
	if reaction.effects && x.p.bound != nil {
		var end context.CancelFunc
		ctx, end = x.p.bound(ctx, &x.cmd)
		defer end()
	}
	in, redaction, err := reaction.decode(x.codec, place, x.cmd.Payload)
	if err == nil {
		err = withheld(redaction, place)
	}
	if err != nil {
		x.pauseFor(err)
		return nil, refuseFault(err, InvalidArgument, ReasonUndecodable, "%v", err)
	}
	out, err := reaction.run(withMeta(ctx, &x.cmd.Meta), x, in)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, overrun(&x.cmd)
	case err != nil:
		return nil, x.verdict(err)
	case x.fault != nil:
		return nil, x.fault
	}
	if done, ready := out.(*Outcome); ready { // a stateless handler's
		done.Revision = x.revision
		return done, nil
	}
	return x.encode(out)
}

// encode makes the answer at once: the result may point into the state, which the next command changes.
func (x *execution) encode(out any) (*Outcome, *Error) {
	place := Place{
		Purpose: PurposeReply, Group: x.behaviour.group.name, Type: x.cmd.Type, AggregateID: x.cmd.AggregateID, MessageID: x.cmd.ID,
	}
	data, contentType, err := x.codec.Encode(nil, place, out)
	if err != nil {
		return nil, x.unmade(err, "result of %v", err)
	}
	if err := CheckPayload("result of "+x.cmd.Type, len(data)); err != nil {
		return nil, refusalOf(err)
	}
	return &Outcome{Code: OK, ContentType: contentType, Payload: data, Revision: x.revision}, nil
}

func overrun(cmd *Command) *Error {
	return refuse(DeadlineExceeded, ReasonOverrun, "handler of %s was still running at its deadline and was given up; nothing it wrote has an effect, but what it called or sent by itself may have", cmd.Type)
}

// panicText tells the type and the place of a panic, not its value: that may hold payload. Runtime errors hold none and are told whole.
func panicText(v any) string {
	where := panicPlace(debug.Stack())
	if err, ok := v.(interface {
		error
		RuntimeError()
	}); ok {
		return err.Error() + where
	}
	return fmt.Sprintf("%T", v) + where
}
