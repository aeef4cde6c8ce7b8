package muster

import (
	"context"
	"hash/crc32"
	"time"
)

// Meta is what is known about a message beside its payload. On the wire it is CloudEvents headers in binary mode.
type Meta struct {
	ID          string    // ce_id: a command's id, or an event's, derived from its command's id and its index
	Type        string    // ce_type
	Group       string    // ce_source: the group the message belongs to
	AggregateID string    // ce_subject, and the record key of a command
	Revision    uint64    // ce_sequence: an event's revision, 1, 2, 3 ...; in a decide function the one before the command
	Time        time.Time // ce_time: when the sender made the command, or the owner decided the event; UTC, microseconds

	CorrelationID string // ce_correlationid: of the whole conversation; a command that starts one has its own id here
	CausationID   string // ce_causationid: of the message that directly caused this one; for an event its command
	ContentType   string // of the payload: application/protobuf, application/json, application/octet-stream
	DataSchema    string // ce_dataschema, where set
	TraceParent   string // W3C trace context
	TraceState    string

	// Redaction says what is withheld of the payload, in the meta that a function for decoded events is given; zero anywhere else.
	Redaction Redaction

	Headers Headers // the user's own

	Topic     string // where the record lies; empty before it is written
	Partition int32
	Offset    int64
	Attempt   int // which execution of a command this owner is at, from 1: one more after each [RetryLater] and each aborted commit
}

// Position gives the place of the record.
func (m *Meta) Position() Position {
	return Position{Topic: m.Topic, Partition: m.Partition, Offset: m.Offset}
}

// RevisionRule is the condition a command puts on the revision of its aggregate. The zero value is AnyRevision.
type RevisionRule struct {
	kind     ruleKind
	revision uint64
}

type ruleKind uint8

const (
	ruleAny ruleKind = iota
	ruleExact
)

// AnyRevision puts no condition.
func AnyRevision() RevisionRule { return RevisionRule{} }

// ExactRevision demands revision n; 0 means that the aggregate must not exist yet.
func ExactRevision(n uint64) RevisionRule { return RevisionRule{kind: ruleExact, revision: n} }

// Exact gives the demanded revision, and false where any will do.
func (r RevisionRule) Exact() (revision uint64, ok bool) { return r.revision, r.kind == ruleExact }

func (r RevisionRule) allows(actual uint64) bool { return r.kind == ruleAny || r.revision == actual }

// ReplyTo names where an answer goes: the caller's partition of its service's reply topic. The zero value wants no answer.
type ReplyTo struct {
	Topic     string
	Partition int32
}

// Command is a command or a query in its untyped form, as it lies in the command topic.
type Command struct {
	Meta
	Payload []byte
	ReplyTo ReplyTo

	// Deadline is the moment after which the owner must not execute it any more; zero means none.
	Deadline time.Time
	Expected RevisionRule

	// WantsProgress says that the caller takes the progress of the handler, see [Step].
	WantsProgress bool
	// Hops is how many handlers' commands led to this one, 0 for one that no handler sent.
	Hops int
	// Path is the groups whose handlers wait for this command, the outermost first.
	Path   []string
	Tries  *Tries // of a command that waited for another try; set by the consumer from what [Round.Waiting] gave, nil for all others
	Behind bool   // set by the consumer: an older command of the aggregate waits and is not in this batch, so this one waits, too
	// ReplayOf is the place of the dead letter that this command was sent again from; zero for any other.
	ReplayOf Position

	// Fault is set by the consumer for a record that is no valid command: the owner refuses it, writes a dead letter and goes on.
	Fault *Error
}

// castagnoli is the polynomial of crc32c, which processors compute in hardware.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// crcText adds a text and a zero byte to a sum, as crc32.Update would, without making a slice of it.
func crcText(sum uint32, text string) uint32 {
	sum = ^sum
	for i := range len(text) {
		sum = castagnoli[byte(sum)^text[i]] ^ sum>>8
	}
	return ^(castagnoli[byte(sum)] ^ sum>>8)
}

// fingerprint tells a repeat from another command under the same id. It guards against mistakes, not against an attacker. It lies in the journal in
// clear, so nothing of it comes from what is sealed.
func (c *Command) fingerprint(codec Codec) uint32 {
	content := c.Payload
	if sealer, seals := codec.(Sealer); seals && c.ContentType == ContentSealed {
		content = sealer.Likeness(nil, c.Payload)
	}
	return crc32.Update(crcText(crcText(0, c.Type), c.AggregateID), castagnoli, content)
}

// Event is an event in its untyped form, as it lies in the journal.
type Event struct {
	Meta
	Payload []byte

	Index int // place among the events of its command, from 0
	Count int // how many events that command has; all of them are in the journal or none

	// Answer and Fingerprint travel on a command's last event, so that dedup can be rebuilt from the journal.
	Answer      []byte // the encoded [Outcome]; nil where it was over 64 KiB, and on all but the last event
	Fingerprint uint32
}

// Last tells whether this is the last event of its command.
func (e *Event) Last() bool { return e.Index == e.Count-1 }

// DeadLetter is a message that could not be processed, with the cause, as it lies in the dead letter topic of the group.
type DeadLetter struct {
	Command Command // its payload as it arrived, byte for byte
	Cause   Error
	Time    time.Time
}

type metaKey struct{}

// withMeta hands the meta of the message in hand to whatever the handler calls.
func withMeta(ctx context.Context, m *Meta) context.Context { return &metaContext{ctx, m} }

// metaContext is what context.WithValue would make, smaller and faster: there is one for each message.
type metaContext struct {
	context.Context
	meta *Meta
}

// Value gives the meta, or what the context around has.
func (c *metaContext) Value(key any) any {
	if key == (metaKey{}) {
		return c.meta
	}
	return c.Context.Value(key)
}

// WithMeta gives a context that carries the meta of the message in hand, as the contexts of handlers do; for packages that run functions for
// messages. It keeps m.
func WithMeta(ctx context.Context, m *Meta) context.Context { return withMeta(ctx, m) }

// MetaFrom gives the meta of the message whose handler ctx came from, and whether there is one. Commands sent with that
// context inherit correlation, causation, trace and user headers from it.
func MetaFrom(ctx context.Context) (Meta, bool) {
	m, ok := ctx.Value(metaKey{}).(*Meta)
	if !ok {
		return Meta{}, false
	}
	return *m, true
}
