package kafka

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
)

// LedgerLetter is an event that a projection has put aside.
type LedgerLetter struct {
	ID       string
	Number   uint64 // the place among the letters of its shard
	Kind     string // parked, waiting or skipped
	Key      string
	Reason   string
	Cause    string
	Attempts int
	At       time.Time
	Event    muster.Event
}

const maxLetterKey = 8 << 10 // of the key that waits; it has no bound of its own

// encode fills in value and headers: the event's as in its journal, byte for byte, and those of the letter. It fits into a topic that takes
// Kafka's default of 1,048,588 bytes: what does not is left out and named in muster-omitted.
func (l *LedgerLetter) encode(r *kgo.Record) {
	e := &l.Event
	w := newWriter(metaHeads+16+len(e.Headers), metaSize(&e.Meta)+len(l.Kind)+min(len(l.Key), maxLetterKey)+len(l.Reason)+min(len(l.Cause), maxCauseText)+
		len(e.Topic)+10*wordBytes)
	w.meta(&e.Meta)
	if e.Count > 0 {
		w.uint(headSequence, e.Revision)
		w.uint(headIndex, uint64(e.Index))
		w.uint(headCount, uint64(e.Count))
	}
	if e.Fingerprint != 0 {
		w.fingerprint(e.Fingerprint)
	}
	w.text(headKind, l.Kind)
	w.text(headKey, string(cut([]byte(l.Key), maxLetterKey)))
	w.uint(headNumber, l.Number)
	w.uint(headAttempts, uint64(max(l.Attempts, 0)))
	w.text(headCauseReason, l.Reason)
	w.text(headCauseMessage, string(cut([]byte(l.Cause), maxCauseText)))
	w.time(headCauseTime, l.At)
	if at := e.Position(); at.Topic != "" {
		w.text(headOrigin, at.String())
	}
	if e.Payload == nil {
		w.text(headNull, "true")
	}
	w.own(e.Headers)
	r.Value = notNull(e.Payload)
	size := len(r.Value) + len(l.ID) + maxLetterKey
	for i := range w.heads {
		size += headerFrame + len(w.heads[i].Key) + len(w.heads[i].Value)
	}
	if size += len(e.Answer); e.Answer != nil && size <= maxDeadRecord {
		w.bytes(headReply, e.Answer)
	} else if e.Answer != nil {
		w.text(headOmitted, "answer")
	}
	r.Headers = w.heads
}

func decodeLetter(r *kgo.Record, id string) (*LedgerLetter, error) {
	var h heads
	h.read(r.Headers)
	number, isNumber := readUint(find(r.Headers, headNumber))
	attempts, isCount := readCount(find(r.Headers, headAttempts))
	kind := string(find(r.Headers, headKind))
	if id == "" || !isNumber || !isCount || kind == "" {
		return nil, malformed(positionOf(r), "a letter without id, kind, number or attempts")
	}
	l := &LedgerLetter{
		ID: id, Number: number, Kind: kind, Key: string(find(r.Headers, headKey)), Attempts: attempts,
		Reason: string(find(r.Headers, headCauseReason)), Cause: string(find(r.Headers, headCauseMessage)),
	}
	var ok bool
	if b := find(r.Headers, headCauseTime); b != nil {
		if l.At, ok = readTime(b); !ok {
			return nil, malformed(positionOf(r), "muster-cause-time %s is no time as RFC 3339 has it", quoted(b))
		}
	}
	all := textsOf(h.subject, h.id, h.kind, h.source, h.correlation, h.causation, h.schema, h.traceParent, h.traceState)
	e := &l.Event
	e.Meta = muster.Meta{
		AggregateID: all.next(h.subject), ID: all.next(h.id), Type: all.next(h.kind), Group: all.next(h.source),
		CorrelationID: all.next(h.correlation), CausationID: all.next(h.causation), DataSchema: all.next(h.schema),
		TraceParent: all.next(h.traceParent), TraceState: all.next(h.traceState), ContentType: h.content(), Headers: h.own(r.Headers),
	}
	e.Payload, e.Answer = r.Value, h.reply
	if find(r.Headers, headNull) != nil {
		e.Payload = nil
	}
	if b := find(r.Headers, headOrigin); b != nil {
		at, ok := readPosition(b)
		if !ok {
			return nil, malformed(positionOf(r), "muster-origin %s is not topic[partition]@offset", quoted(b))
		}
		e.Topic, e.Partition, e.Offset = at.Topic, at.Partition, at.Offset
	}
	if h.time != nil {
		if e.Time, ok = readTime(h.time); !ok {
			return nil, malformed(positionOf(r), "ce_time %s is no time as RFC 3339 has it", quoted(h.time))
		}
	}
	if h.count == nil {
		return l, nil // of a bad record the position alone is known
	}
	revision, isRevision := readUint(h.sequence)
	index, isIndex := readCount(h.index)
	count, isCount := readCount(h.count)
	if !isRevision || !isIndex || !isCount || index >= count {
		return nil, malformed(positionOf(r), "revision, index or count of the event in a letter is no number that it can be")
	}
	e.Revision, e.Index, e.Count = revision, index, count
	if h.fingerprint != nil {
		if e.Fingerprint, ok = readFingerprint(h.fingerprint); !ok {
			return nil, malformed(positionOf(r), "muster-fingerprint %s is not eight hex digits", quoted(h.fingerprint))
		}
	}
	return l, nil
}
