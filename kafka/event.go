package kafka

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
)

// EncodeEvent gives the record of an event: key "<aggregate id>/<revision>", partition e.Partition, value the payload. A null payload is
// written as an empty one, because null would be a tombstone. Payload, Answer and the values of user headers are not copied; they must
// not change until the record is written.
func EncodeEvent(e *muster.Event, topic string) *kgo.Record { return (*Slab)(nil).Event(e, topic) }

// Event is [EncodeEvent] with memory from the slab.
func (s *Slab) Event(e *muster.Event, topic string) *kgo.Record {
	w := s.writer(metaHeads+5+len(e.Headers), metaSize(&e.Meta)+len(e.AggregateID)+5*wordBytes)
	key := w.eventKey(e.AggregateID, e.Revision)
	w.meta(&e.Meta)
	w.uint(headSequence, e.Revision)
	w.uint(headIndex, uint64(e.Index))
	w.uint(headCount, uint64(e.Count))
	if e.Last() {
		w.fingerprint(e.Fingerprint)
		if e.Answer != nil {
			w.bytes(headReply, e.Answer)
		}
	}
	w.own(e.Headers)
	r := s.record(&w)
	r.Topic, r.Partition, r.Key, r.Value, r.Timestamp = topic, e.Partition, key, notNull(e.Payload), e.Time
	return r
}

// EventOf is Event for the journal of g: with [muster.KeepLatest] the key is the aggregate id alone.
func (s *Slab) EventOf(g *muster.Group, e *muster.Event, topic string) *kgo.Record {
	r := s.Event(e, topic)
	if g.Policy() == muster.KeepLatest {
		r.Key = r.Key[:len(e.AggregateID):len(e.AggregateID)]
	}
	return r
}

// DecodeEvent reads a record of the journal of g. A null value is [ErrTombstone], and so is a mark of trimming; a record without muster-format
// is [ErrForeign]; both are to be passed over. Any other error is a DataLoss [muster.Error] that names topic, partition and offset: the toolkit wrote the
// record, or claims to have, and it cannot be read. Payload, Answer and the values of user headers share memory with r.
func DecodeEvent(r *kgo.Record, g *muster.Group) (e muster.Event, err error) {
	if err = DecodeEventTo(&e, r, g); err != nil {
		return muster.Event{}, err
	}
	return e, nil
}

// DecodeEventTo is [DecodeEvent] into an event that is there already, which is large to copy. After an error nothing of it counts.
func DecodeEventTo(e *muster.Event, r *kgo.Record, g *muster.Group) error {
	if r.Value == nil {
		return fmt.Errorf("%v: %w", positionOf(r), ErrTombstone)
	}
	var h heads
	h.read(r.Headers)
	if h.format == nil && string(r.Key) == trimKey {
		return fmt.Errorf("%v: a mark of trimming: %w", positionOf(r), ErrTombstone)
	}
	if h.format == nil {
		return fmt.Errorf("%v: no muster-format header: %w", positionOf(r), ErrForeign)
	}
	if string(h.format) != formatOne {
		return malformed(positionOf(r), "muster-format %s; this build reads %s, so a newer one is needed", quoted(h.format), formatOne)
	}
	begins := bytes.Equal(h.correlation, h.causation) // of the first command of a conversation: both are its id
	if begins {
		h.correlation = nil
	}
	all := textsOf(h.subject, h.id, h.kind, h.correlation, h.causation, h.schema, h.traceParent, h.traceState)
	*e = muster.Event{}
	e.AggregateID, e.ID, e.Type = all.next(h.subject), all.next(h.id), all.next(h.kind)
	e.CorrelationID, e.CausationID, e.DataSchema = all.next(h.correlation), all.next(h.causation), all.next(h.schema)
	e.TraceParent, e.TraceState = all.next(h.traceParent), all.next(h.traceState)
	e.Group, e.ContentType, e.Headers = g.Name(), h.content(), h.own(r.Headers)
	e.Topic, e.Partition, e.Offset = r.Topic, r.Partition, r.Offset
	e.Payload, e.Answer = r.Value, h.reply
	if begins {
		e.CorrelationID = e.CausationID
	}
	if fault := h.numbers(e); fault != "" {
		return malformed(positionOf(r), "%s", fault)
	}
	if fault := h.eventFault(r, g); fault != "" {
		return malformed(positionOf(r), "%s", fault)
	}
	return nil
}

// numbers reads what is no text, and says what is wrong with it, "" when nothing is.
func (h *heads) numbers(e *muster.Event) string {
	var ok bool
	if e.Time, ok = readTime(h.time); !ok {
		return "ce_time " + quoted(h.time) + " is no time as RFC 3339 has it"
	}
	if e.Revision, ok = readUint(h.sequence); !ok || e.Revision == 0 {
		return "ce_sequence " + quoted(h.sequence) + " is no revision; they begin with 1"
	}
	if e.Index, ok = readCount(h.index); !ok {
		return "muster-index " + quoted(h.index) + " is no number"
	}
	if e.Count, ok = readCount(h.count); !ok || e.Index >= e.Count {
		return "muster-count " + quoted(h.count) + " is no number above muster-index " + quoted(h.index)
	}
	if !e.Last() {
		e.Answer = nil
		return ""
	}
	if e.Fingerprint, ok = readFingerprint(h.fingerprint); !ok {
		return "muster-fingerprint " + quoted(h.fingerprint) + " is not eight hex digits, on the last event of its command"
	}
	return ""
}

// eventFault looks at names and place.
func (h *heads) eventFault(r *kgo.Record, g *muster.Group) string {
	if string(h.source) != g.Name() {
		return "ce_source " + quoted(h.source) + "; this journal is group " + strconv.Quote(g.Name()) + "'s"
	}
	if err := checkText(h.subject, muster.CheckAggregateID); err != nil {
		return "ce_subject: " + messageOf(err)
	}
	if err := checkText(h.kind, muster.CheckType); err != nil {
		return "ce_type: " + messageOf(err)
	}
	if len(h.id) == 0 || len(h.id) > maxCausality || !printable(h.id) {
		return "ce_id is missing, over " + strconv.Itoa(maxCausality) + " bytes or has control characters"
	}
	if !keyFits(r.Key, g.Policy(), h) {
		return "the key does not fit ce_subject and ce_sequence"
	}
	if want := int32(murmur2(h.subject)&0x7fffffff) % g.Partitions(); want != r.Partition {
		return "the aggregate belongs into partition " + strconv.Itoa(int(want)) + " of " + strconv.Itoa(int(g.Partitions())) +
			"; were partitions added, or records copied from another topic?"
	}
	return ""
}

// keyFits holds the record key against the headers: the aggregate id, and with KeepAll a slash and the revision.
func keyFits(key []byte, policy muster.JournalPolicy, h *heads) bool {
	if !bytes.HasPrefix(key, h.subject) {
		return false
	}
	rest := key[len(h.subject):]
	if policy == muster.KeepLatest {
		return len(rest) == 0
	}
	return len(rest) > 1 && rest[0] == '/' && bytes.Equal(rest[1:], h.sequence)
}
