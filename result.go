package muster

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// reservedPrefix begins the names of the toolkit's own message types; a contract that declares one does not open.
const reservedPrefix = "muster."

// ResultQuery is the type of the built-in question for the result of a command: its payload is the command id, its record key the
// aggregate id. Owners answer it from what they remember; it reaches no handler and no middleware around handling.
const ResultQuery = reservedPrefix + "Result"

// contentOutcome is the content type of an answer that is an encoded [Outcome].
const contentOutcome = "application/vnd.muster.outcome"

// ReservedType tells whether a message type belongs to the toolkit.
func ReservedType(name string) bool { return strings.HasPrefix(name, reservedPrefix) }

// ResultState says what is known of a command.
type ResultState uint8

const (
	// ResultUnknown says that the owner has read its log up to the question and remembers no such command. It was never sent to this
	// aggregate, or is older than the dedup window, or had an answer that is not kept: a refusal that says a retry can help, a command that became a
	// dead letter, a refusal whose owner has lost its store. Within the window a command that is unknown has no effect, and may be sent again.
	ResultUnknown ResultState = iota
	// ResultPending says that the question is in the log, and the owner has not answered it in time. A command sent before it may wait there, too,
	// or be in its handler. Ask again; sending the command again with the same id does no harm.
	ResultPending
	// ResultDone says that the command was decided, and this is its answer, whether it was done or refused.
	ResultDone
)

// String gives the state's name.
func (s ResultState) String() string {
	switch s {
	case ResultUnknown:
		return "unknown"
	case ResultPending:
		return "pending"
	case ResultDone:
		return "done"
	}
	return fmt.Sprintf("ResultState(%d)", uint8(s))
}

// Result is what is known of a command that was sent earlier, perhaps by a caller that is gone.
type Result[Out any] struct {
	State   ResultState
	Value   Out     // what it answered; zero unless it is done and was not refused
	Refusal *Error  // why it was refused; nil unless it is done and was
	Omitted bool    // it was done, but its answer was over 64 KiB and is not kept; query the state instead
	Receipt Receipt // of a command that is done
}

// Result asks what became of the command with the given id, which must be a command on that aggregate. The question travels the command topic, so
// everything sent to the aggregate before is decided when it is answered; it needs the owner, and works after restarts, takeovers and the loss
// of a store, for as long as the owner's dedup window (24 h by default) reaches back. An error says that nothing could be asked.
func (c *Client) Result(ctx context.Context, g *Group, aggregateID, commandID string, opts ...CallOption) (Result[*Outcome], error) {
	var none Result[*Outcome]
	if err := CheckCommandID(commandID); err != nil {
		return none, err
	}
	if c == nil {
		return none, noClient(ResultQuery)
	}
	o, err := c.encoded(ctx, g, ResultQuery, aggregateID, PlainCodec{}, Raw(commandID), opts)
	if err != nil {
		return none, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	answer, err := c.Call(ctx, g, &o.cmd)
	if err == nil {
		err = answer.Err()
	}
	switch durable := o.cmd.Topic != ""; {
	case err != nil && durable && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrExpired)):
		return Result[*Outcome]{State: ResultPending}, nil
	case err != nil:
		return none, err
	case len(answer.Payload) == 0:
		return Result[*Outcome]{State: ResultUnknown}, nil
	}
	found, err := DecodeOutcome(answer.Payload)
	if err != nil {
		return none, refuse(Internal, ReasonBadResult, "the answer of group %s about command %s cannot be read: %v", g.name, commandID, err)
	}
	found.CommandID = commandID
	r := Result[*Outcome]{
		State: ResultDone, Value: found, Omitted: found.Omitted,
		Receipt: Receipt{CommandID: commandID, Revision: found.Revision, Position: found.Position, Repeated: true},
	}
	if e, refused := asError(found.Err()); refused {
		r.Refusal = e
	}
	return r, nil
}

// Result asks what became of a command of this type; see [Client.Result].
func (c *CommandType[In, Out]) Result(ctx context.Context, client *Client, aggregateID, commandID string, opts ...CallOption) (Result[Out], error) {
	raw, err := client.Result(ctx, c.group, aggregateID, commandID, opts...)
	r := Result[Out]{State: raw.State, Refusal: raw.Refusal, Omitted: raw.Omitted, Receipt: raw.Receipt}
	if err != nil || raw.State != ResultDone || raw.Refusal != nil || raw.Omitted {
		return r, err
	}
	place := Place{
		Purpose: PurposeReply, Group: c.group.name, Type: c.name, AggregateID: aggregateID, MessageID: commandID, ContentType: raw.Value.ContentType,
	}
	v, withheld, err := c.out.decode(client.codec, place, raw.Value.Payload)
	if err != nil && PayloadFaultOf(err) != FaultUndecodable {
		return r, unreadResult(err, commandID)
	}
	if err != nil {
		return r, refuse(Internal, ReasonBadResult, "command %s is done, but its result cannot be read as one of %s: %v; is it of that type?", commandID, c.name, err)
	}
	r.Value, r.Receipt.Access = v.(Out), withheld.Access
	return r, nil
}
