package kafka

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
)

// Limits of texts that only a foreign producer can break. Sizes are bytes.
const (
	maxCausality  = 200  // a correlation or causation id; the toolkit's own are at most 80
	maxText       = 1024 // data schema, content type
	maxTraceState = 1024 // W3C asks for 512 at least
	maxTrace      = 128  // traceparent; version 00 has 55
	maxPath       = 4096 // of 16 groups with names of 150 bytes at most
)

// EncodeCommand gives the record of a command: key aggregate id, partition as given, value the payload. The payload and the values of user
// headers are not copied; they must not change until the record is written. A null payload is written as an empty one.
func EncodeCommand(c *muster.Command, topic string, partition int32) *kgo.Record {
	w := newWriter(metaHeads+7+len(c.Headers), metaSize(&c.Meta)+len(c.AggregateID)+len(c.ReplyTo.Topic)+5*wordBytes)
	key := w.key(c.AggregateID)
	w.meta(&c.Meta)
	w.demands(c)
	w.own(c.Headers)
	return &kgo.Record{Topic: topic, Partition: partition, Key: key, Value: notNull(c.Payload), Headers: w.heads}
}

// demands writes what a command asks for: an answer, a deadline, a revision.
func (w *writer) demands(c *muster.Command) {
	w.replyTo(c.ReplyTo)
	if !c.Deadline.IsZero() {
		w.int(headDeadline, c.Deadline.UnixMilli())
	}
	if n, exact := c.Expected.Exact(); exact {
		w.uint(headExpected, n)
	}
	if c.WantsProgress {
		w.text(headProgress, "true")
	}
	if c.Hops > 0 {
		w.uint(headHops, uint64(c.Hops))
		w.text(headPath, strings.Join(c.Path, pathSeparator))
	}
	if c.ReplayOf.Topic != "" {
		w.text(headReplayOf, c.ReplayOf.String())
	}
}

// pathSeparator stands between the groups of a path; no group name can have it.
const pathSeparator = "/"

// DecodeCommand reads a record of the command topic of g. It never fails: a record that is no valid command has Fault set, and an id of
// its own, so that it can be refused, put among the dead letters and passed. Texts over their limit or with control characters are kept
// as they came, cut at the limit.
//
// A record of a plain Kafka client needs key, ce_type and a value. What else is missing is filled in:
//
//	id           "@<partition>/<offset>"
//	correlation  the command's own id
//	time         the record's
//
// Payload and the values of user headers share memory with r.
func DecodeCommand(r *kgo.Record, g *muster.Group) muster.Command {
	var h heads
	h.read(r.Headers)
	c := h.command(r)
	c.Group = g.Name()
	c.Fault = h.commandFault(r, g, &c)
	if c.ID == "" || (c.Fault != nil && muster.CheckCommandID(c.ID) != nil) {
		c.ID = placeID(r)
	}
	if c.CorrelationID == "" {
		c.CorrelationID = c.ID
	}
	if c.Time.IsZero() {
		c.Time = r.Timestamp.UTC().Truncate(time.Microsecond)
	}
	return c
}

// command takes over what the record says; what cannot be read stays zero, for commandFault to notice. Commands and dead letters have it in common.
func (h *heads) command(r *kgo.Record) muster.Command {
	if len(h.traceParent) > maxTrace || len(h.traceState) > maxTraceState || !printable(h.traceParent) || !printable(h.traceState) {
		h.traceParent, h.traceState = nil, nil // W3C: a context that cannot be read is dropped, the message is not
	}
	aggregate, id, kind := cut(r.Key, muster.MaxAggregateID), cut(h.id, muster.MaxCommandID), cut(h.kind, muster.MaxType)
	correlation, causation, schema := cut(h.correlation, maxCausality), cut(h.causation, maxCausality), cut(h.schema, maxText)
	begins := bytes.Equal(correlation, id) // of the first command of a conversation both are one text
	if begins {
		correlation = nil
	}
	all := textsOf(aggregate, id, kind, correlation, causation, schema, h.traceParent, h.traceState)
	c := muster.Command{
		Meta: muster.Meta{
			AggregateID: all.next(aggregate), ID: all.next(id), Type: all.next(kind),
			CorrelationID: all.next(correlation), CausationID: all.next(causation), DataSchema: all.next(schema),
			TraceParent: all.next(h.traceParent), TraceState: all.next(h.traceState),
			ContentType: h.content(), Headers: h.own(r.Headers),
			Topic: r.Topic, Partition: r.Partition, Offset: r.Offset,
		},
		Payload: r.Value,
	}
	if begins {
		c.CorrelationID = c.ID
	}
	if h.time != nil {
		c.Time, _ = readTime(h.time)
	}
	if topic, partition, ok := splitReplyTo(h.replyTo); ok {
		c.ReplyTo = muster.ReplyTo{Topic: string(topic), Partition: partition}
	}
	if ms, ok := readUint(h.deadline); ok && ms <= maxMillis {
		c.Deadline = time.UnixMilli(int64(ms)).UTC()
	}
	if n, ok := readUint(h.expected); ok {
		c.Expected = muster.ExactRevision(n)
	}
	c.WantsProgress = string(h.progress) == "true"
	if h.hops != nil {
		c.Hops, _ = readCount(h.hops)
		if len(h.path) > 0 && len(h.path) <= maxPath && printable(h.path) {
			c.Path = strings.Split(string(h.path), pathSeparator)
		}
	}
	if h.replayOf != nil {
		c.ReplayOf, _ = readPosition(h.replayOf) // it tells where the command is from; one that cannot be read tells nothing
	}
	return c
}

// maxMillis is the last moment of the year 9999, the last one RFC 3339 can name.
const maxMillis = 253_402_300_799_999

// commandFault says why a record, read as c, is no valid command, nil when it is one. The first fault found counts.
func (h *heads) commandFault(r *kgo.Record, g *muster.Group, c *muster.Command) *muster.Error {
	bad := func(reason, format string, args ...any) *muster.Error {
		return &muster.Error{
			Code: muster.InvalidArgument, Reason: reason,
			Message: positionOf(r).String() + ": " + fmt.Sprintf(format, args...),
		}
	}
	if h.format != nil && string(h.format) != formatOne {
		return bad(muster.ReasonBadRecord, "muster-format %s; this build reads %s, so the owner needs a newer one", quoted(h.format), formatOne)
	}
	if len(r.Key) == 0 {
		return bad(muster.ReasonBadID, "the record has no key; write the aggregate id there")
	}
	if err := checkText(r.Key, muster.CheckAggregateID); err != nil {
		return bad(muster.ReasonBadID, "record key: %s", messageOf(err))
	}
	if want := int32(murmur2(r.Key)&0x7fffffff) % g.Partitions(); want != r.Partition {
		return bad(muster.ReasonWrongPlace, "the record's key belongs into partition %d of %d; let the producer partition by murmur2 of the key",
			want, g.Partitions())
	}
	if r.Value == nil {
		return bad(muster.ReasonNullValue, "the value is null, which a command cannot have; write an empty one")
	}
	if h.id == nil && h.format != nil {
		return bad(muster.ReasonBadID, "ce_id is missing, though muster-format is there")
	}
	if h.id != nil {
		if err := checkText(h.id, muster.CheckCommandID); err != nil {
			return bad(muster.ReasonBadID, "ce_id: %s", messageOf(err))
		}
	}
	if h.kind == nil {
		return bad(muster.ReasonBadType, "ce_type is missing; it names the command")
	}
	if err := checkText(h.kind, muster.CheckType); err != nil {
		return bad(muster.ReasonBadType, "ce_type: %s", messageOf(err))
	}
	if len(r.Value) > muster.MaxPayload {
		return bad(muster.ReasonTooLarge, "the payload takes %d bytes; at most %d are allowed", len(r.Value), muster.MaxPayload)
	}
	if c.Headers != nil {
		if err := muster.CheckHeaders(c.Headers); err != nil {
			return bad(muster.ReasonOf(err), "%s", messageOf(err))
		}
	}
	return h.optionalFault(c, bad)
}

// optionalFault looks at what a command need not have.
func (h *heads) optionalFault(c *muster.Command, bad func(reason, format string, args ...any) *muster.Error) *muster.Error {
	for _, id := range [...]struct {
		key   string
		value []byte
	}{{headCorrelation, h.correlation}, {headCausation, h.causation}} {
		if len(id.value) > maxCausality || !printable(id.value) {
			return bad(muster.ReasonBadID, "%s is over %d bytes or has control characters", id.key, maxCausality)
		}
	}
	if len(h.schema) > maxText || !printable(h.schema) || len(h.contentType) > maxText || !printable(h.contentType) {
		return bad(muster.ReasonBadRecord, "ce_dataschema or content-type is over %d bytes or has control characters", maxText)
	}
	if h.time != nil && c.Time.IsZero() {
		return bad(muster.ReasonBadRecord, "ce_time %s is no time as RFC 3339 has it", quoted(h.time))
	}
	if h.replyTo != nil && c.ReplyTo.Topic == "" {
		return bad(muster.ReasonBadRecord, "muster-reply-to %s is not topic/partition", quoted(h.replyTo))
	}
	if h.deadline != nil && c.Deadline.IsZero() {
		return bad(muster.ReasonBadRecord, "muster-deadline %s is no count of milliseconds since 1970", quoted(h.deadline))
	}
	if _, exact := c.Expected.Exact(); h.expected != nil && !exact {
		return bad(muster.ReasonBadRecord, "muster-expected-revision %s is no revision", quoted(h.expected))
	}
	if h.hops != nil && (c.Hops < 1 || c.Hops > muster.MaxHops) {
		return bad(muster.ReasonBadRecord, "muster-hops %s is not 1 to %d", quoted(h.hops), muster.MaxHops)
	}
	if len(h.path) > 0 && c.Path == nil {
		return bad(muster.ReasonBadRecord, "muster-path is over %d bytes, has control characters, or is there without muster-hops", maxPath)
	}
	return nil
}

// placeID is the id of a command whose sender gave none, or none that can be used.
func placeID(r *kgo.Record) string {
	b := strconv.AppendInt(append(make([]byte, 0, 32), '@'), int64(r.Partition), 10)
	return string(strconv.AppendInt(append(b, '/'), r.Offset, 10))
}

// splitReplyTo takes topic/partition apart.
func splitReplyTo(b []byte) (topic []byte, partition int32, ok bool) {
	slash := bytes.LastIndexByte(b, '/')
	if slash < 0 || !topicName(b[:slash]) {
		return nil, 0, false
	}
	n, ok := readCount(b[slash+1:])
	return b[:slash], int32(n), ok
}
