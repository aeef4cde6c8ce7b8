package muster

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
)

// Stage names what happens to a message: where a [Middleware] stands, and what a [Tracer] is told of.
type Stage string

// The stages of a message's journey. A middleware sees the first three.
const (
	StageCall    Stage = "call"    // a command or query is written, and its outcome waited for
	StageSend    Stage = "send"    // a command is written; nobody waits for its outcome
	StageHandle  Stage = "handle"  // the owner runs the handler
	StageCommit  Stage = "commit"  // a batch's transaction
	StageStore   Stage = "store"   // a committed batch goes into the local store
	StageReply   Stage = "reply"   // the outcomes of a batch go to those who wait
	StageProject Stage = "project" // a read model applies events
)

// Middleware is code around handling a command and around sending one: the one function type for both. It is called once, when the service
// opens, with what comes after it, and gives what stands in that place. That may look at the invocation, change the context, refuse by
// returning an error without calling next, and see or replace what next gave. Any number of goroutines may be in it at once.
//
// Order: the first of a list is the outermost. Around a handler stand those of the owner's process, then those of [Aggregate.Use]; around a
// send those of the client. [ForGroup] and [ForType] narrow one down. Each sees an execution, or a send, exactly once; a command that is decided again
// after an aborted commit is executed again, with a higher Attempt.
//
// What no middleware around handling sees: what is answered without a handler, as are a repeated id, a missed deadline, a revision
// conflict, and a record that is no command. What none around sending sees: a command that could not even be made.
//
// A panic is the refusal of that command, as a handler's is, and the next one proceeds; in a send it is an error to the caller.
type Middleware func(next Invoke) Invoke

// Invoke runs what comes next. A nil error comes with an outcome. An error is a refusal, or says why there is no outcome; the outcome may
// be nil then.
type Invoke func(ctx context.Context, call *Invocation) (*Outcome, error)

// Invocation is one execution of a handler or one send, as a [Middleware] sees it.
type Invocation struct {
	Stage Stage // StageHandle, StageCall or StageSend
	Group *Group

	// Command is what is handled or sent. Around a handler it is to be read only: its payload is shared with the dead letter it may become. Around a
	// send its headers and trace context may still be changed; the limits are checked after that.
	Command *Command

	x       *execution                                  // of StageHandle
	write   func(ctx context.Context) (*Outcome, error) // of the other stages
	phase   atomic.Int32                                // whether the handler has begun and ended
	outcome *Outcome                                    // what the handler answered, as inner
	told    error                                       // a refusal that goes with what the handler wrote, as of an error event; likewise
	inner   *Error                                      // what the handler refused with; written before phase becomes handled
}

// The phases of an execution under middleware.
const (
	untouched int32 = iota
	handling
	handled
	passedBy // the middleware returned without calling next; it is too late now
)

// Type gives the message type when the contract or the owner knows it, and "other" else. It is fit for a metric's label.
func (c *Invocation) Type() string {
	if c.x != nil && c.x.behaviour.handled(c.Command.Type) || c.Group.declares(c.Command.Type) {
		return c.Command.Type
	}
	return "other"
}

// Again tells whether this is a further execution of a command, after an aborted commit.
func (c *Invocation) Again() bool { return c.Command.Attempt > 1 }

// ForGroup narrows middleware to the commands of one group.
func ForGroup(g *Group, mw ...Middleware) Middleware {
	return narrowed(func(c *Invocation) bool { return c.Group == g || c.Group.name == g.name }, mw)
}

// Message is a type of command or query: [CommandType], [QueryType].
type Message interface {
	Name() string
	Group() *Group
}

// ForType narrows middleware to one type of command or query.
func ForType(t Message, mw ...Middleware) Middleware {
	return narrowed(func(c *Invocation) bool { return c.Command.Type == t.Name() && c.Group.name == t.Group().name }, mw)
}

func narrowed(meant func(*Invocation) bool, mw []Middleware) Middleware {
	return func(next Invoke) Invoke {
		inside := around(next, mw)
		return func(ctx context.Context, call *Invocation) (*Outcome, error) {
			if meant(call) {
				return inside(ctx, call)
			}
			return next(ctx, call)
		}
	}
}

// CheckMiddleware reports a nil middleware.
func CheckMiddleware(mw []Middleware) error {
	if slices.ContainsFunc(mw, func(m Middleware) bool { return m == nil }) {
		return errors.New("a middleware is nil; remove it from the list")
	}
	return nil
}

// around puts a list around what comes last, the first of it outermost.
func around(last Invoke, mw []Middleware) Invoke {
	for _, m := range slices.Backward(mw) {
		last = m(last)
	}
	return last
}

// innermost is where every chain ends.
func innermost(ctx context.Context, call *Invocation) (*Outcome, error) {
	if call.x == nil {
		return call.write(ctx)
	}
	return call.handle(ctx)
}

// chain gives nil for no middleware, so that nothing of this is in the way.
func chain(lists ...[]Middleware) Invoke {
	all := slices.Concat(lists...)
	if len(all) == 0 {
		return nil
	}
	return around(innermost, all)
}

// Use puts middleware around every handler of the aggregate's group, inside that of the process; see [Middleware] for the order, and
// [ForType] for one handler.
func (a *Aggregate[S]) Use(mw ...Middleware) {
	if err := CheckMiddleware(mw); err != nil {
		a.behaviour.faultf("group %q: %v", a.behaviour.group.name, err)
		return
	}
	a.behaviour.around = append(a.behaviour.around, mw...)
}

// handled tells whether the owner has a handler of the type's own.
func (b *Behaviour) handled(name string) bool {
	_, known := b.reactions[name]
	return known
}

func (g *Group) declares(name string) bool { return name == ResultQuery || g.kindOf(name) != "" }
