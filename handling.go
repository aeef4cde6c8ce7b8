package muster

import (
	"context"
	"runtime/debug"
)

// invoke runs an execution with what stands around it.
func (p *Processor) invoke(ctx context.Context, x *execution) (*Outcome, *Error) {
	switch {
	case p.tracer != nil:
		return p.traced(ctx, x)
	case p.chain != nil:
		return p.surrounded(ctx, x)
	}
	return x.run(ctx)
}

// traced makes the span the parent of whatever the handler sends and of the events it emits.
func (p *Processor) traced(ctx context.Context, x *execution) (outcome *Outcome, refusal *Error) {
	m := &x.cmd.Meta
	ctx, span := p.tracer.Start(ctx, SpanStart{
		Stage: StageHandle, Group: m.Group, Partition: m.Partition, Type: m.Type, CommandID: m.ID, Count: 1, Parent: m.Trace(),
	})
	m.setTrace(span.Context())
	defer func() { endSpan(span, outcome, refusal) }()
	if p.chain == nil {
		return x.run(ctx)
	}
	return p.surrounded(ctx, x)
}

func endSpan(span Span, outcome *Outcome, refusal *Error) {
	if refusal == nil { // a nil *Error in an error is not nil
		span.End(outcome.Err())
		return
	}
	span.End(refusal)
}

// surrounded runs an execution inside the middleware, and makes of what that returns what a unit can settle.
func (p *Processor) surrounded(ctx context.Context, x *execution) (outcome *Outcome, refusal *Error) {
	call := &Invocation{Stage: StageHandle, Group: p.behaviour.group, Command: &x.cmd, x: x}
	out, err := p.guarded(withMeta(ctx, &x.cmd.Meta), call)
	if !call.phase.CompareAndSwap(untouched, passedBy) && call.phase.Load() != handled {
		x.spoilt = true // somebody is still in it: nothing of it may be touched
		return nil, refuse(Internal, ReasonOverrun, "a middleware around %s returned while the handler was still running; it must wait for next", x.cmd.Type)
	}
	if err != nil && err == call.told || err == nil && out != nil && out == call.outcome { //nolint:errorlint // the very error that stands for the answer
		return call.outcome, nil
	}
	if err == nil && out != nil {
		err = out.Err() // an outcome that is a refusal, made by a middleware
	}
	if err != nil {
		refusal = call.verdict(err)
		x.spoilt = call.inner != nil && refusal != call.inner
		return nil, refusal
	}
	if x.spoilt = call.inner != nil; out == nil {
		return nil, refuse(Internal, ReasonBadResult, "a middleware around %s returned neither outcome nor error", x.cmd.Type)
	}
	own := *out
	own.Revision, own.Position, own.Repeated, own.Omitted = x.cmd.Revision, Position{}, false, false
	if !x.spoilt {
		own.Revision = x.revision
	}
	if err := CheckPayload("result of "+x.cmd.Type, len(own.Payload)); err != nil {
		return nil, refusalOf(err)
	}
	return &own, nil
}

// guarded makes a refusal of a middleware's panic.
func (p *Processor) guarded(ctx context.Context, call *Invocation) (out *Outcome, err error) {
	defer func() {
		if v := recover(); v != nil {
			out, err = nil, panicked("a middleware around "+call.Command.Type, v)
		}
	}()
	return p.chain(ctx, call)
}

// handle is where a chain around handling ends. A handler runs once per execution: what it emitted cannot be emitted twice.
func (c *Invocation) handle(ctx context.Context) (*Outcome, error) {
	if !c.phase.CompareAndSwap(untouched, handling) {
		return nil, refuse(Internal, ReasonBadResult, "a middleware around %s called next twice, or after it had returned; a handler runs once", c.Command.Type)
	}
	outcome, refusal := c.x.run(ctx)
	c.outcome, c.inner = outcome, refusal
	if refusal == nil {
		c.told = outcome.Err()
	}
	c.phase.Store(handled)
	if refusal != nil {
		return nil, refusal
	}
	return outcome, c.told
}

// verdict gives the refusal that travels. The toolkit's own words keep what they mean; all else is a middleware's word, and
// means what it would as a handler's: [RetryLater] and [Drop], too.
func (c *Invocation) verdict(err error) *Error {
	e := refusalOf(err)
	if _, panicked := e.cause.(*PanicError); panicked || e == c.inner { //nolint:errorlint // the cause itself, not what it may wrap
		return e
	}
	return verdict(err, c.x.behaviour.isQuery(c.Command.Type))
}

// PanicError is the cause of a refusal with [ReasonPanic], on the side where the panic happened; it does not travel. Its text holds type
// and place of the panic, not its value.
type PanicError struct {
	Text  string
	Stack []byte // of the goroutine that panicked; arguments of functions stand in it as numbers
}

// Error gives the text.
func (p *PanicError) Error() string { return p.Text }

// NewPanicError makes one of a value that was recovered. Call it in the deferred function that recovers: it looks for the place on the goroutine's stack.
func NewPanicError(value any) *PanicError {
	return &PanicError{Text: panicText(value), Stack: debug.Stack()}
}

func panicked(what string, v any) *Error {
	cause := NewPanicError(v)
	e := refuse(Internal, ReasonPanic, "%s panicked: %s", what, cause.Text)
	e.cause = cause
	return e
}
