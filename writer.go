package muster

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// ErrWriterClosed is what a [Writer] answers after its handler has returned or was given up: nothing is written then.
var ErrWriterClosed = errors.New("the handler has returned or was given up; nothing is written any more")

// Writer is how a [CommandHandler] tells what its command leads to. Events, commands and the answer leave in one Kafka transaction with the
// consumed command, after the handler has returned without an error: all of them or none. Values are encoded at once and may be changed
// afterwards. Its methods may be called by any goroutine of the handler until the handler returns; then they answer [ErrWriterClosed].
//
// An error of Event, ErrorEvent, Command or Reply also refuses the command, whether the handler returns it or not.
type Writer interface {
	// Event appends an event to the aggregate of the command. [EventType.Write] is the typed form. Where the group has an [Aggregate],
	// the event needs its Evolve.
	Event(name string, v any) error
	// ErrorEvent appends an event that tells of a failure: it is committed, and the caller gets the refusal. The first one counts as the
	// answer. It is the answer for good, so a Retry in it is taken out. Return nil after it: a returned error would refuse everything.
	ErrorEvent(name string, v any, refusal error) error
	// Command writes a command to a group, this one included. [CommandType.Write] is the typed form. The id is derived, so that the receiver
	// knows a repeat; correlation, causation, user headers, trace and deadline are those of the command in hand. Nobody waits for the
	// outcome. A group whose command topic does not exist, or has another partition count than g, refuses the command in hand.
	Command(g *Group, name, id string, in any, opts ...CallOption) error
	// Reply sets the answer of the command; the last one counts. Without it the caller gets the zero value.
	Reply(v any) error
	// Progress sends an item to the caller at once, if it asked for progress. It is provisional: the transaction may yet be aborted. The end
	// needs no item of its own, the outcome is the end. An error says that it was not sent and changes nothing else.
	Progress(v any) error
	// Client calls and sends to other groups at once, outside of the transaction. Pass the handler's context on: deadline, correlation,
	// causation and headers travel with it, and the command ids are derived. A call to the handler's own group, or to one that waits for
	// it, is refused.
	Client() *Client
	// Codec is the one that payloads of untyped commands are decoded with; see [CommandType.Decode].
	Codec() Codec

	event(g *Group, name string, v any, refusal error) error
}

// writer is the Writer of one execution.
type writer struct {
	x       *execution
	lineage *lineage

	mu      sync.Mutex // guards what follows, and of x what emitting changes, until the handler has returned
	closed  bool
	answer  *Outcome // what Reply set; nil: nothing yet
	refusal *Error   // of the first error event
	steps   int
}

// handle runs a stateless handler and gives what it wrote as an outcome.
func (x *execution) handle(ctx context.Context, fn func(ctx context.Context, w *writer) error) (any, error) {
	w := &writer{x: x, lineage: &lineage{cmd: &x.cmd}}
	defer w.close()
	err := fn(withLineage(ctx, w.lineage), w)
	w.close()
	switch {
	case x.fault != nil:
		return nil, nil // run tells the fault, whatever the handler made of it
	case err != nil:
		return nil, passedOn(err)
	case w.refusal != nil:
		return outcomeOf(w.refusal), nil
	case w.answer != nil:
		return w.answer, nil
	}
	return &Outcome{Code: OK}, nil
}

// passedOn makes the error of a call that the handler passes on one that is not the answer for good, where it was none for the callee either:
// the callee came too late or failed, and does it when it is asked again.
func passedOn(err error) error {
	e, typed := asError(err)
	if !typed || !e.Remote || e.Retry || !slices.Contains(calleeFailed, e.Reason) {
		return err
	}
	again := *e
	again.Retry = true
	return &again
}

var calleeFailed = []string{ReasonExpired, ReasonOverrun, ReasonPanic, ReasonNoHandler, ReasonNoTarget}

func (w *writer) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
}

// openLocked is called with mu held.
func (w *writer) openLocked() error {
	if w.closed || w.x.gone.Load() {
		return ErrWriterClosed
	}
	return w.faultLocked()
}

// faultLocked gives the fault without the trap of a nil *Error in an error. It is called with mu held.
func (w *writer) faultLocked() error {
	if w.x.fault != nil {
		return w.x.fault
	}
	return nil
}

// Event implements [Writer].
func (w *writer) Event(name string, v any) error { return w.event(w.x.behaviour.group, name, v, nil) }

// ErrorEvent implements [Writer].
func (w *writer) ErrorEvent(name string, v any, refusal error) error {
	return w.event(w.x.behaviour.group, name, v, errorEvent(name, refusal))
}

// errorEvent makes sure that there is a refusal.
func errorEvent(name string, refusal error) error {
	if refusal == nil {
		return Errorf(Unknown, "%s", name)
	}
	return refusal
}

func (w *writer) event(g *Group, name string, v any, refusal error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.openLocked(); err != nil {
		return err
	}
	w.x.emit(g, name, v)
	if err := w.faultLocked(); err != nil {
		return err
	}
	if refusal != nil && w.refusal == nil {
		kept := *refusalOf(refusal)
		kept.toolkit, kept.Retry = false, false
		w.refusal = &kept
	}
	return nil
}

// Command implements [Writer].
func (w *writer) Command(g *Group, name, id string, in any, opts ...CallOption) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.openLocked(); err != nil {
		return err
	}
	if err := w.x.write(w.lineage, g, name, id, in, opts); err != nil {
		w.x.fault = refusalOf(err)
		w.x.pauseFor(err)
	}
	return w.faultLocked()
}

// Reply implements [Writer].
func (w *writer) Reply(v any) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.openLocked(); err != nil {
		return err
	}
	w.answer, w.x.fault = w.x.encode(v)
	return w.faultLocked()
}

// Progress implements [Writer].
func (w *writer) Progress(v any) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.openLocked(); err != nil {
		return err
	}
	x := w.x
	if !x.cmd.WantsProgress || x.cmd.ReplyTo.Topic == "" || x.p.steps == nil {
		return nil
	}
	if w.steps == MaxSteps {
		return refuse(ResourceExhausted, ReasonProgress, "%s has sent %d steps of progress; more are not sent", x.cmd.Type, MaxSteps)
	}
	data, contentType, err := x.codec.Encode(nil, stepPlace(&x.cmd), v)
	if err != nil {
		return refuseFault(err, InvalidArgument, ReasonProgress, "progress of %v", err)
	}
	if len(data) > MaxStepBytes {
		return refuse(InvalidArgument, ReasonProgress, "a step of progress of %s takes %d bytes; at most %d are allowed", x.cmd.Type, len(data), MaxStepBytes)
	}
	w.steps++ // a step that is lost below leaves a gap, which the caller sees
	return x.p.steps(x.cmd.ReplyTo, &x.cmd.Meta, &Step{
		CommandID: x.cmd.ID, Attempt: x.cmd.Attempt, Number: w.steps, ContentType: contentType, Payload: data,
	})
}

// Client implements [Writer].
func (w *writer) Client() *Client { return w.x.p.client }

// Codec implements [Writer].
func (w *writer) Codec() Codec { return w.x.codec }

// Write appends the event with the writer of a handler; see [Writer].
func (t *EventType[E]) Write(w Writer, e E) error { return w.event(t.group, t.name, e, nil) }

// WriteError appends the event and makes the outcome the refusal; see [Writer].
func (t *EventType[E]) WriteError(w Writer, e E, refusal error) error {
	return w.event(t.group, t.name, e, errorEvent(t.name, refusal))
}

// Write writes the command with the writer of a handler, in its transaction; see [Writer].
func (c *CommandType[In, Out]) Write(w Writer, id string, in In, opts ...CallOption) error {
	return w.Command(c.group, c.name, id, in, opts...)
}
