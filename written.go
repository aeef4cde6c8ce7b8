package muster

import (
	"slices"
	"time"

	"github.com/google/uuid"
)

// MaxCommands is how many commands one command may write. Their bytes count as those of its events do, see MaxEventBytes.
const MaxCommands = 1000

// Written is a command that a handler wrote with its [Writer], on its way to its topic.
type Written struct {
	Group   *Group  // whose command topic it goes to
	Command Command // CausationID names the command whose handler wrote it
	Origin  int32   // the partition of that one
}

// write makes a command and keeps it for the transaction. It reads no clock: the command's time is the batch's.
func (x *execution) write(l *lineage, g *Group, name, id string, in any, opts []CallOption) error {
	if g == nil {
		return refuse(InvalidArgument, ReasonBadType, "command %s is written to no group; give the group that handles it", name)
	}
	if kind := g.kindOf(name); kind == "query" || kind == "event" {
		return refuse(InvalidArgument, ReasonBadType, "%s is %s of group %s; only commands can be written", name, article(kind), g.name)
	}
	if len(x.written) == MaxCommands {
		return refuse(InvalidArgument, ReasonTooManyCommands, "%s writes more than %d commands; split it", x.cmd.Type, MaxCommands)
	}
	o := outgoing{}
	o.begin(x.now, g, name, id)
	o.inherit(&x.cmd.Meta, l)
	for _, opt := range opts {
		opt(&o)
	}
	if o.receipt != nil || o.waits != nil || o.onStep != nil || o.timeout != 0 {
		return refuse(InvalidArgument, ReasonBadOption, "command %s is written with an option for calls; nobody waits for it, so leave it out", name)
	}
	if err := o.seal(l, viaWriter, x.codec, in); err != nil {
		return err
	}
	if x.bytes += len(o.cmd.Payload); x.bytes > MaxEventBytes {
		return refuse(InvalidArgument, ReasonEventsTooBig, "the events and commands of %s take more than %d bytes; split it", x.cmd.Type, MaxEventBytes)
	}
	x.written = append(x.written, Written{Group: g, Command: o.cmd, Origin: x.cmd.Partition})
	return nil
}

// begin fills in what every command has.
func (o *outgoing) begin(now time.Time, g *Group, name, id string) {
	o.cmd.Meta = Meta{Type: name, Group: g.name, AggregateID: id, Time: now}
}

// inherit takes over what passes from the message in hand to the next command.
func (o *outgoing) inherit(cause *Meta, l *lineage) {
	o.cmd.CorrelationID, o.cmd.CausationID = cause.CorrelationID, cause.ID
	o.cmd.TraceParent, o.cmd.TraceState, o.cmd.Headers = cause.TraceParent, cause.TraceState, slices.Clip(cause.Headers)
	if l != nil {
		o.cmd.Deadline = l.cmd.Deadline
	}
}

// seal gives the command its id, if it has none, and its payload, and checks it. l is the lineage of the handler that sends it, nil outside
// of handlers.
func (o *outgoing) seal(l *lineage, via string, codec Codec, in any) error {
	if o.cmd.ID == "" && l != nil {
		o.cmd.ID = l.childID(via, &o.cmd)
	}
	if o.cmd.ID == "" {
		fresh, err := uuid.NewV7()
		if err != nil {
			return local(Internal, err, "no command id could be made: the system gives no random numbers")
		}
		o.cmd.ID = fresh.String()
	}
	if o.cmd.CorrelationID == "" {
		o.cmd.CorrelationID = o.cmd.ID
	}
	if l != nil {
		if err := l.follow(&o.cmd); err != nil {
			return err
		}
	}
	data, contentType, err := codec.Encode(nil, commandPlace(&o.cmd), in)
	if err != nil {
		return refuseFault(err, InvalidArgument, ReasonUndecodable, "command %v", err)
	}
	o.cmd.Payload, o.cmd.ContentType = data, contentType
	return CheckCommand(&o.cmd)
}
