package muster

import (
	"context"
	"errors"
	"time"
)

// Sender writes commands to their topics.
type Sender interface {
	// SendCommands writes the commands of one group and returns when all are durable on every in-sync replica, or have failed. It sets
	// Topic, Partition and Offset of each that was written; errs has one entry per command, nil where it was. When an error is not a
	// definite refusal by the broker, the command may yet have been written.
	SendCommands(ctx context.Context, g *Group, cmds []*Command) (errs []error)
}

// Client sends commands and waits for their outcomes. It is safe for concurrent use by any number of goroutines. A service makes it.
type Client struct {
	sender  Sender
	codec   Codec
	replyTo ReplyTo
	timeout time.Duration
	now     func() time.Time
	ready   func(context.Context) error // blocks until the reply reader knows its position
	chain   Invoke                      // nil without middleware
	tracer  Tracer                      // nil: off
	views   ViewHost                    // nil: none
	waiting waiters
}

// ClientConfig is what a [Client] needs. Sender must be set.
type ClientConfig struct {
	Sender  Sender
	Codec   Codec   // nil means [PlainCodec]
	ReplyTo ReplyTo // where this process reads replies; without it only sends work

	// Timeout bounds calls whose context has no earlier deadline. Zero means 5 s.
	Timeout time.Duration
	// Ready blocks until replies are read. Nil means that they are.
	Ready func(context.Context) error
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Middleware stands around every call and send, the first one outermost.
	Middleware []Middleware
	// Tracer is told of every call and send. Nil means off.
	Tracer Tracer
	// Views is who knows how far read models are, for [WaitFor]. Nil means that there are none.
	Views ViewHost
}

// NewClient makes a client over its ports.
func NewClient(cfg ClientConfig) *Client {
	c := &Client{
		sender: cfg.Sender, codec: cfg.Codec, replyTo: cfg.ReplyTo, timeout: cfg.Timeout, now: cfg.Now, ready: cfg.Ready,
		chain: chain(cfg.Middleware), tracer: cfg.Tracer, views: cfg.Views,
		waiting: waiters{byID: map[string][]*waiter{}},
	}
	if c.codec == nil {
		c.codec = PlainCodec{}
	}
	if c.timeout == 0 {
		c.timeout = 5 * time.Second
	}
	if c.now == nil {
		c.now = time.Now
	}
	return c
}

// outgoing makes a command ready to be sent, everything about it checked.
func (c *Client) outgoing(ctx context.Context, g *Group, name, id string, in any, opts []CallOption) (*outgoing, error) {
	if c == nil {
		return nil, noClient(name)
	}
	return c.encoded(ctx, g, name, id, c.codec, in, opts)
}

func noClient(name string) *Error {
	return refuse(FailedPrecondition, "no-client", "there is no client to send %s with; open a service and take its Client", name)
}

// encoded is outgoing with a codec of its own.
func (c *Client) encoded(ctx context.Context, g *Group, name, id string, codec Codec, in any, opts []CallOption) (*outgoing, error) {
	o, l := &outgoing{}, lineageFrom(ctx)
	o.begin(c.now().UTC().Truncate(time.Microsecond), g, name, id)
	if cause, ok := MetaFrom(ctx); ok {
		o.inherit(&cause, l)
	}
	for _, opt := range opts {
		opt(o)
	}
	if o.timeout == 0 {
		o.timeout = c.timeout
	}
	return o, o.seal(l, viaClient, codec, in)
}

func commandPlace(cmd *Command) Place {
	return Place{
		Purpose: PurposeCommand, Group: cmd.Group, Type: cmd.Type, AggregateID: cmd.AggregateID, MessageID: cmd.ID, ContentType: cmd.ContentType,
	}
}

// Send writes one untyped command and returns when it is durable; see [CommandType.Send].
func (c *Client) Send(ctx context.Context, g *Group, cmd *Command) error {
	return c.SendAll(ctx, g, []*Command{cmd})[0]
}

// SendAll writes commands of one group at once and returns when each is durable or has failed, with an error per command in their order.
func (c *Client) SendAll(ctx context.Context, g *Group, cmds []*Command) []error {
	if c.chain == nil && c.tracer == nil {
		return c.sendAll(ctx, g, cmds)
	}
	return c.sendAround(ctx, g, cmds)
}

func (c *Client) sendAll(ctx context.Context, g *Group, cmds []*Command) []error {
	errs := make([]error, len(cmds))
	if c.waiting.isClosed() {
		for i := range errs {
			errs[i] = shuttingDown()
		}
		return errs
	}
	if l := lineageFrom(ctx); l != nil {
		for i, cmd := range cmds {
			errs[i] = l.follow(cmd)
		}
	}
	sound, at := make([]*Command, 0, len(cmds)), make([]int, 0, len(cmds))
	for i, cmd := range cmds {
		if errs[i] == nil {
			errs[i] = CheckCommand(cmd)
		}
		if errs[i] == nil {
			sound, at = append(sound, cmd), append(at, i)
		}
	}
	for k, err := range c.sender.SendCommands(ctx, g, sound) {
		if err != nil {
			errs[at[k]] = sendError(ctx, err, sound[k].ID)
		}
	}
	return errs
}

// Call writes one untyped command and waits for its outcome, which may be a refusal. The error says why there is no outcome. Without a
// deadline in ctx it waits for the client's timeout.
func (c *Client) Call(ctx context.Context, g *Group, cmd *Command) (*Outcome, error) {
	return c.call(ctx, g, cmd, nil)
}

// call is Call with the progress, where onStep is not nil; onStep ends the call by answering false.
func (c *Client) call(ctx context.Context, g *Group, cmd *Command, onStep func(*Step) bool) (*Outcome, error) {
	if c.chain == nil && c.tracer == nil {
		return c.exchange(ctx, g, cmd, onStep)
	}
	return c.callAround(ctx, g, cmd, onStep)
}

// exchange writes the command and waits.
func (c *Client) exchange(ctx context.Context, g *Group, cmd *Command, onStep func(*Step) bool) (*Outcome, error) {
	if c.replyTo.Topic == "" {
		return nil, refuse(FailedPrecondition, "no-replies", "this client reads no replies; use Send, or open the service with a name")
	}
	if err := CheckCommand(cmd); err != nil {
		return nil, err
	}
	if l := lineageFrom(ctx); l != nil {
		if err := l.await(g, cmd); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, notSent(err)
	}
	if c.ready != nil {
		if err := c.ready(ctx); err != nil {
			return nil, notSent(err)
		}
	}
	cmd.ReplyTo, cmd.WantsProgress = c.replyTo, onStep != nil
	deadline, bounded := ctx.Deadline()
	if !bounded {
		deadline = time.Now().Add(c.timeout)
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	// the context's deadline is on this process's clock; the command carries it on the client's
	cmd.Deadline = c.now().Add(time.Until(deadline))
	waiter := newWaiter(cmd.Deadline, onStep)
	if !c.waiting.add(cmd.ID, waiter) {
		return nil, shuttingDown()
	}
	answered := false
	defer func() {
		if !answered { // who hands over an outcome has removed the waiter; with many callers this lock is the one they meet at
			c.waiting.remove(cmd.ID, waiter)
		}
	}()
	sendErr := c.sender.SendCommands(ctx, g, []*Command{cmd})[0]
	if sendErr != nil {
		select {
		case outcome := <-waiter.answer: // it outran a failing acknowledgement: the command did arrive
			answered = true
			return c.answered(outcome, cmd.ID)
		default:
			return nil, sendError(ctx, sendErr, cmd.ID)
		}
	}
	outcome, err := waiter.await(ctx, onStep)
	if err != nil {
		return nil, unknown(err, cmd.ID)
	}
	answered = true
	return c.answered(outcome, cmd.ID)
}

// answered tells an outcome from the nil that Close hands to calls in flight.
func (c *Client) answered(outcome *Outcome, id string) (*Outcome, error) {
	if outcome == nil {
		e := shuttingDown()
		e.CommandID = id
		return nil, e
	}
	return outcome, nil
}

// Deliver hands an outcome to the calls that wait for it. The reply reader calls it; it never blocks.
func (c *Client) Deliver(o *Outcome) { c.waiting.deliver(o) }

// DeliverStep hands a step of progress to the calls that want it. The reply reader calls it; it never blocks.
func (c *Client) DeliverStep(s *Step) { c.waiting.step(s) }

// Missed gives the number of steps of progress that were dropped because their caller was too slow.
func (c *Client) Missed() int64 { return c.waiting.missed.Load() }

// Waiting gives the number of calls in flight.
func (c *Client) Waiting() int { return c.waiting.size() }

// Late gives the number of replies that came after their caller had gone.
func (c *Client) Late() int64 { return c.waiting.late.Load() }

// Close ends all calls in flight with ErrShuttingDown; later ones end so at once. A second Close does nothing.
func (c *Client) Close() { c.waiting.close() }

func shuttingDown() *Error {
	e := local(Unavailable, ErrShuttingDown, "the service is shutting down; if the command was sent, its outcome is unknown")
	e.Retry = true
	return e
}

func notSent(err error) *Error {
	e := local(CodeOf(err), err, "the command was not sent: %v", err)
	e.Retry = true
	return e
}

func unknown(err error, id string) *Error {
	e := local(CodeOf(err), errors.Join(ErrOutcomeUnknown, err), "no answer to command %s in time; it may or may not have taken effect, retry with the same id to learn it", id)
	e.Retry, e.CommandID = true, id
	return e
}

// sendError keeps the typed errors of the sender and makes the rest one: the command may have been written.
func sendError(ctx context.Context, err error, id string) error {
	if _, typed := errors.AsType[*Error](err); typed {
		return err
	}
	cause := errors.Join(ErrOutcomeUnknown, err)
	code := Unavailable
	if ctx.Err() != nil {
		code = CodeOf(ctx.Err())
	}
	e := local(code, cause, "command %s could not be sent: %v", id, err)
	e.Retry, e.CommandID = true, id
	return e
}
