package kafka

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
)

// Header keys. Those with ce_ are CloudEvents 1.0 in the binary mode of its Kafka binding, traceparent and tracestate are W3C Trace
// Context, those with muster- are the toolkit's own. All values are UTF-8 text but for the two said to be bytes.
//
//	key                       value                                        on
//	ce_specversion            1.0                                          all
//	ce_id                     id of the message                            all
//	ce_source                 name of the group                            all
//	ce_type                   message type                                 all
//	ce_subject                aggregate id                                 all
//	ce_time                   RFC 3339, UTC, six digits of a second        commands, events, dead letters
//	content-type              of the value                                 all
//	ce_sequence               revision, decimal                            events
//	ce_correlationid          id of the whole conversation                 all
//	ce_causationid            id of the message that caused this one       all
//	ce_dataschema             URI, where set                               commands, events, dead letters
//	traceparent, tracestate   where set                                    all
//	muster-format             1                                            all; see formatOne
//	muster-reply-to           topic/partition                              commands that want an answer
//	muster-deadline           milliseconds since 1970                      commands with a deadline; replies that hold for
//	                                                                       the sending with this deadline only
//	muster-expected-revision  decimal                                      commands with a condition
//	muster-progress           true: the caller takes progress              commands
//	muster-hops               decimal: handlers' commands before this one  commands that a handler sent
//	muster-path               group/group: whose handlers wait for it      commands that a handler called
//	muster-step               place among the steps of an attempt, from 1  progress
//	muster-attempt            of the owner, from 1                         progress
//	muster-replay-of          topic[partition]@offset of a dead letter     commands sent again from one, and dead letters of these
//	muster-index              place among the events of a command, from 0  events
//	muster-count              how many events the command has              events
//	muster-fingerprint        8 hex digits of the command's crc32c         the last event of a command
//	muster-reply              bytes: the stored answer, an Outcome         the last event of a command
//	muster-cause-code         canonical name, such as INTERNAL             dead letters
//	muster-cause-reason       stable word, such as payload-too-large       dead letters
//	muster-cause-message      text for people                              dead letters
//	muster-cause-detail       bytes: one google.protobuf.Any; repeats      dead letters
//	muster-cause-retry        true, or left out                            dead letters
//	muster-cause-time         as ce_time: when it was given up             dead letters
//	muster-origin             topic[partition]@offset of the command       dead letters
//	muster-null               true: the command had a null value           dead letters
//	muster-omitted            what did not fit, such as value=62914560     dead letters
//	muster-mark               replayed or dropped                          marks of dead letters
//	muster-letter             topic[partition]@offset of the dead letter   marks of dead letters
//	muster-by                 service and instance that wrote it           marks of dead letters
//	muster-note               text for people                              marks of dead letters
//	muster-kind               parked, waiting or skipped                   letters of projections
//	muster-key                the key that waits                           letters of projections
//	muster-number             place among the letters of a shard, decimal  letters of projections
//	muster-attempts           runs of the function, decimal                letters of projections
//
// Every other key is the user's, but for unknown ce_ and muster- keys: those are passed over, so that a later version may add some.
const (
	headSpecVersion = "ce_specversion"
	headID          = "ce_id"
	headSource      = "ce_source"
	headType        = "ce_type"
	headSubject     = "ce_subject"
	headTime        = "ce_time"
	headContentType = "content-type"
	headSequence    = "ce_sequence"
	headCorrelation = "ce_correlationid"
	headCausation   = "ce_causationid"
	headSchema      = "ce_dataschema"
	headTraceParent = "traceparent"
	headTraceState  = "tracestate"

	headFormat      = "muster-format"
	headReplyTo     = "muster-reply-to"
	headDeadline    = "muster-deadline"
	headExpected    = "muster-expected-revision"
	headProgress    = "muster-progress"
	headHops        = "muster-hops"
	headPath        = "muster-path"
	headStep        = "muster-step"
	headAttempt     = "muster-attempt"
	headReplayOf    = "muster-replay-of"
	headIndex       = "muster-index"
	headCount       = "muster-count"
	headReply       = "muster-reply"
	headFingerprint = "muster-fingerprint"

	headCauseCode    = "muster-cause-code"
	headCauseReason  = "muster-cause-reason"
	headCauseMessage = "muster-cause-message"
	headCauseDetail  = "muster-cause-detail"
	headCauseRetry   = "muster-cause-retry"
	headCauseTime    = "muster-cause-time"
	headOrigin       = "muster-origin"
	headNull         = "muster-null"
	headOmitted      = "muster-omitted"

	headMark   = "muster-mark"
	headLetter = "muster-letter"
	headBy     = "muster-by"
	headNote   = "muster-note"

	headKind     = "muster-kind"
	headKey      = "muster-key"
	headNumber   = "muster-number"
	headAttempts = "muster-attempts"
)

// The format numbers a record can carry in muster-format. A reader refuses a higher one by name.
const (
	specVersion = "1.0"
	formatOne   = "1" // 0.1: the headers above
)

// heads are the headers of a record under their names. A key that repeats counts with its last value, as in Kafka's lastHeader; nil means
// that there is none. The slices share memory with the record.
type heads struct {
	id, source, kind, time, contentType, sequence, correlation, causation, schema, traceParent, traceState []byte
	format, replyTo, deadline, expected, index, count, reply, fingerprint                                  []byte
	subject, progress, hops, path, replayOf                                                                []byte

	users int // how many headers are the user's
}

// read sorts the headers of a record.
func (h *heads) read(all []kgo.RecordHeader) {
	for i := range all {
		if to := h.slot(all[i].Key); to != nil {
			*to = all[i].Value
		} else if !muster.ReservedHeader(all[i].Key) {
			h.users++
		}
	}
}

func (h *heads) slot(key string) *[]byte {
	switch key {
	case headID:
		return &h.id
	case headSource:
		return &h.source
	case headType:
		return &h.kind
	case headSubject:
		return &h.subject
	case headTime:
		return &h.time
	case headContentType:
		return &h.contentType
	case headSequence:
		return &h.sequence
	case headCorrelation:
		return &h.correlation
	case headCausation:
		return &h.causation
	case headSchema:
		return &h.schema
	case headTraceParent:
		return &h.traceParent
	case headTraceState:
		return &h.traceState
	case headFormat:
		return &h.format
	case headReplyTo:
		return &h.replyTo
	case headDeadline:
		return &h.deadline
	case headExpected:
		return &h.expected
	case headProgress:
		return &h.progress
	case headHops:
		return &h.hops
	case headPath:
		return &h.path
	case headReplayOf:
		return &h.replayOf
	case headIndex:
		return &h.index
	case headCount:
		return &h.count
	case headReply:
		return &h.reply
	case headFingerprint:
		return &h.fingerprint
	}
	return nil
}

// own gives the user headers in their order. The values share memory with the record.
func (h *heads) own(all []kgo.RecordHeader) muster.Headers {
	if h.users == 0 {
		return nil
	}
	own := make(muster.Headers, 0, h.users)
	for i := range all {
		if !muster.ReservedHeader(all[i].Key) {
			own = append(own, muster.Header(all[i]))
		}
	}
	return own
}

// content gives the content type, without an allocation for the three the toolkit writes.
func (h *heads) content() string {
	switch string(h.contentType) {
	case muster.ContentProtobuf:
		return muster.ContentProtobuf
	case muster.ContentJSON:
		return muster.ContentJSON
	case muster.ContentRaw:
		return muster.ContentRaw
	}
	return string(cut(h.contentType, maxText))
}

// find gives the last value under a key that [heads] has no room for, nil when there is none.
func find(all []kgo.RecordHeader, key string) []byte {
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Key == key {
			return all[i].Value
		}
	}
	return nil
}

// texts turns the byte slices of one record into strings that lie in one piece of memory: one allocation instead of many.
type texts struct{ rest string }

// textsOf copies all parts; next must then be asked for each of them, in the same order.
func textsOf(parts ...[]byte) texts {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	var all strings.Builder
	all.Grow(size)
	for _, p := range parts {
		all.Write(p)
	}
	return texts{rest: all.String()}
}

func (t *texts) next(part []byte) string {
	s := t.rest[:len(part)]
	t.rest = t.rest[len(part):]
	return s
}

// readTime reads an RFC 3339 time of any zone and precision as UTC in microseconds.
func readTime(b []byte) (time.Time, bool) {
	if t, ok := ownTime(b); ok {
		return t, true
	}
	var t time.Time
	if t.UnmarshalText(b) != nil {
		return time.Time{}, false
	}
	return t.UTC().Truncate(time.Microsecond), true
}

// ownTime reads a time as the toolkit writes it, 2026-11-21T17:05:04.000000Z, which is several times as fast as reading any. False: let readTime
// see to it.
func ownTime(b []byte) (time.Time, bool) {
	const form = "0000-00-00T00:00:00.000000Z" // a 0 stands for a digit
	if len(b) != len(form) {
		return time.Time{}, false
	}
	for i, c := range b {
		if want := form[i]; c != want && (want != '0' || c < '0' || c > '9') {
			return time.Time{}, false
		}
	}
	number := func(from, to int) (n int) {
		for _, c := range b[from:to] {
			n = 10*n + int(c-'0')
		}
		return n
	}
	month, day, hour, minute, second := number(5, 7), number(8, 10), number(11, 13), number(14, 16), number(17, 19)
	if month < 1 || month > 12 || day < 1 || day > 28 || hour > 23 || minute > 59 || second > 59 { // the last days of a month are for the other one
		return time.Time{}, false
	}
	return time.Date(number(0, 4), time.Month(month), day, hour, minute, second, 1000*number(20, 26), time.UTC), true
}

func readUint(b []byte) (uint64, bool) {
	if len(b) == 0 { // most commands have neither deadline nor expectation, and ParseUint would allocate an error for each
		return 0, false
	}
	n, err := strconv.ParseUint(string(b), 10, 64)
	return n, err == nil
}

// readCount reads a small number that is not negative.
func readCount(b []byte) (int, bool) {
	n, err := strconv.ParseUint(string(b), 10, 31)
	return int(n), err == nil
}

// readFingerprint reads exactly eight hex digits.
func readFingerprint(b []byte) (uint32, bool) {
	var n [4]byte
	if len(b) != hex.EncodedLen(len(n)) {
		return 0, false
	}
	_, err := hex.Decode(n[:], b)
	return binary.BigEndian.Uint32(n[:]), err == nil
}

func positionOf(r *kgo.Record) muster.Position {
	return muster.Position{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}
}
