package muster

import (
	"context"
	"time"
)

// CallOption changes one call or send.
type CallOption func(*outgoing)

// outgoing is a command being made.
type outgoing struct {
	cmd     Command
	timeout time.Duration
	receipt *Receipt
	waits   []Awaited
	onStep  func(*Step) bool // not nil: progress is wanted; false ends the call
}

// Receipt tells what is known of a command beside its result. Ask for one with [ReceiptTo].
type Receipt struct {
	CommandID string
	Revision  uint64   // of the aggregate after the command
	Position  Position // of its last event; zero when it wrote none
	Repeated  bool     // this id had been answered before, and this is that answer

	// Access says how much of the result was readable: a command that is repeated after its subject was erased has the same answer, with less in it.
	Access Access
}

// Awaited is a read model a call can wait for; projector's definitions are.
type Awaited interface {
	// AwaitIn returns when the read model, as the host reads it, has applied the journal up to pos, or with the error that says why it does
	// not.
	AwaitIn(ctx context.Context, host ViewHost, pos Position) error
}

// ViewHost is where a client's reads of read models go: the service it belongs to.
type ViewHost interface {
	// AwaitView returns when the named read model has applied the journal up to pos. Version 0 is the one that serves. NotFound: there is none of
	// that name; Unavailable: it is paused or stopped; FailedPrecondition: the aggregate's key is parked; else the error of ctx.
	AwaitView(ctx context.Context, name string, version int, pos Position) error
}

// CommandID sets the id, at most 64 bytes; the default is a new UUIDv7. Retry with the same id to learn an unknown outcome.
func CommandID(id string) CallOption { return func(o *outgoing) { o.cmd.ID = id } }

// ExpectRevision lets the command take effect only if the aggregate's revision is n; else it ends with a conflict that tells the actual one.
func ExpectRevision(n uint64) CallOption {
	return func(o *outgoing) { o.cmd.Expected = ExactRevision(n) }
}

// MustNotExist lets the command take effect only if the aggregate has no event yet.
func MustNotExist() CallOption { return ExpectRevision(0) }

// WithHeader adds a user header. It passes on to the events, and to the commands that handlers of those send.
func WithHeader(key string, value []byte) CallOption {
	return func(o *outgoing) { o.cmd.Headers = append(o.cmd.Headers, Header{Key: key, Value: value}) }
}

// Timeout bounds a call whose context has no earlier deadline. It travels with the command: an owner that reads it too late does not
// execute it. The default is the client's, 5 s unless configured.
func Timeout(d time.Duration) CallOption { return func(o *outgoing) { o.timeout = d } }

// NoDeadline frees a command that a handler sends or writes from the deadline it inherits: it is executed however late it is read. A call
// has one all the same.
func NoDeadline() CallOption { return func(o *outgoing) { o.cmd.Deadline = time.Time{} } }

// Correlation sets the correlation id; the default is that of the message in hand, or else the command's own id.
func Correlation(id string) CallOption { return func(o *outgoing) { o.cmd.CorrelationID = id } }

// Trace sets the W3C trace context; the default is that of the message in hand.
func Trace(parent, state string) CallOption {
	return func(o *outgoing) { o.cmd.TraceParent, o.cmd.TraceState = parent, state }
}

// ReceiptTo fills r when the call has ended with an answer.
func ReceiptTo(r *Receipt) CallOption { return func(o *outgoing) { o.receipt = r } }

// WaitFor makes a call return only when the read model has applied what the command wrote. Give it once for each read model that is waited for.
func WaitFor(view Awaited) CallOption { return func(o *outgoing) { o.waits = append(o.waits, view) } }

// Call sends the command to the aggregate with the given id and waits for its outcome. A nil error means that its events are committed.
// Every other end is an [Error]; see there for how they are told apart.
func (c *CommandType[In, Out]) Call(ctx context.Context, client *Client, id string, in In, opts ...CallOption) (Out, error) {
	return call(ctx, client, c.group, c.name, id, in, c.out, opts)
}

// Send writes the command and returns when it is durable, with its position in the command topic. Nobody waits for the outcome; a
// refusal is lost, a command that cannot be processed becomes a dead letter.
func (c *CommandType[In, Out]) Send(ctx context.Context, client *Client, id string, in In, opts ...CallOption) (Position, error) {
	o, err := client.outgoing(ctx, c.group, c.name, id, in, opts)
	if err != nil {
		return Position{}, err
	}
	if err := client.Send(ctx, c.group, &o.cmd); err != nil {
		return Position{}, err
	}
	return o.cmd.Position(), nil
}

// New makes the command without sending it, for [Client.SendAll] and for tests.
func (c *CommandType[In, Out]) New(ctx context.Context, client *Client, id string, in In, opts ...CallOption) (*Command, error) {
	o, err := client.outgoing(ctx, c.group, c.name, id, in, opts)
	if err != nil {
		return nil, err
	}
	return &o.cmd, nil
}

// Call asks the query of the aggregate with the given id. The answer has seen every command that was answered before the call.
func (q *QueryType[In, Out]) Call(ctx context.Context, client *Client, id string, in In, opts ...CallOption) (Out, error) {
	return call(ctx, client, q.group, q.name, id, in, q.out, opts)
}

func call[Out any](ctx context.Context, client *Client, g *Group, name, id string, in any, out valueOf[Out], opts []CallOption) (Out, error) {
	var none Out
	o, err := client.outgoing(ctx, g, name, id, in, opts)
	if err != nil {
		return none, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	outcome, err := client.call(ctx, g, &o.cmd, client.readable(o))
	if err != nil {
		return none, err
	}
	if o.receipt != nil {
		*o.receipt = Receipt{CommandID: o.cmd.ID, Revision: outcome.Revision, Position: outcome.Position, Repeated: outcome.Repeated}
	}
	if err := outcome.Err(); err != nil {
		return none, err
	}
	if outcome.Omitted {
		return none, refuse(DataLoss, "result-omitted", "command %s was done at revision %d, but its result was too large to be kept for a repeat; query the state instead", o.cmd.ID, outcome.Revision)
	}
	if outcome.ContentType == "" && len(outcome.Payload) == 0 {
		return out.empty(), client.waited(ctx, o.waits, outcome.Position) // a stateless handler that set no answer
	}
	place := Place{Purpose: PurposeReply, Group: g.name, Type: name, AggregateID: id, MessageID: o.cmd.ID, ContentType: outcome.ContentType}
	v, withheld, err := out.decode(client.codec, place, outcome.Payload)
	if err != nil {
		return none, unreadResult(err, o.cmd.ID)
	}
	if o.receipt != nil {
		o.receipt.Access = withheld.Access
	}
	return v.(Out), client.waited(ctx, o.waits, outcome.Position)
}

// unreadResult says why the answer of a command that was done cannot be read. It was done all the same.
func unreadResult(err error, id string) *Error {
	if PayloadFaultOf(err) == FaultUndecodable {
		return refuse(Internal, ReasonBadResult, "the command was done, but its result cannot be read: %v; do caller and owner share the contract?", err)
	}
	e := refuseFault(err, Internal, ReasonBadResult, "command %s was done, but its result cannot be read: %v", id, err)
	e.CommandID = id
	return e
}

func (c *Client) waited(ctx context.Context, views []Awaited, pos Position) error {
	for _, view := range views {
		if err := view.AwaitIn(ctx, c.views, pos); err != nil {
			return err
		}
	}
	return nil
}
