package kafka

import (
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
)

// writer builds the headers of one record with two allocations: one for the list, one for the bytes of all values that are not at hand as
// bytes. Sizes given to newWriter are estimates from above; a wrong one costs an allocation, nothing else.
type writer struct {
	heads []kgo.RecordHeader
	mem   []byte // values lie one after another; a value already handed out stays where it is when mem grows
}

const (
	metaHeads = 13 // headers meta can write, the format included
	metaBytes = 32 // bytes of version, format and time
	wordBytes = 20 // bytes of one decimal number
)

func newWriter(heads, bytes int) writer {
	return writer{heads: make([]kgo.RecordHeader, 0, heads), mem: make([]byte, 0, bytes)}
}

// metaSize is how many bytes the texts of a Meta take in a record's headers.
func metaSize(m *muster.Meta) int {
	return metaBytes + len(m.ID) + len(m.Group) + len(m.Type) + len(m.AggregateID) + len(m.ContentType) + len(m.CorrelationID) +
		len(m.CausationID) + len(m.DataSchema) + len(m.TraceParent) + len(m.TraceState)
}

// meta writes the CloudEvents and trace headers and the format.
func (w *writer) meta(m *muster.Meta) {
	w.text(headSpecVersion, specVersion)
	w.text(headID, m.ID)
	w.text(headSource, m.Group)
	w.text(headType, m.Type)
	w.text(headSubject, m.AggregateID)
	w.time(headTime, m.Time)
	w.text(headContentType, m.ContentType)
	w.text(headCorrelation, m.CorrelationID)
	w.text(headCausation, m.CausationID)
	w.text(headSchema, m.DataSchema)
	w.trace(m.TraceParent, m.TraceState)
	w.text(headFormat, formatOne)
}

// trace writes the trace context. W3C: one that nobody could read is dropped, the message is not.
func (w *writer) trace(parent, state string) {
	if len(parent) <= maxTrace && len(state) <= maxTraceState {
		w.text(headTraceParent, parent)
		w.text(headTraceState, state)
	}
}

// text writes a header, none for an empty value.
func (w *writer) text(key, value string) {
	if value == "" {
		return
	}
	at := len(w.mem)
	w.mem = append(w.mem, value...)
	w.end(key, at)
}

// joined writes a header of two parts.
func (w *writer) joined(key, value, suffix string) {
	at := len(w.mem)
	w.mem = append(append(w.mem, value...), suffix...)
	w.end(key, at)
}

// bytes writes a header whose value is at hand as bytes, which it does not copy.
func (w *writer) bytes(key string, value []byte) {
	w.heads = append(w.heads, kgo.RecordHeader{Key: key, Value: value})
}

func (w *writer) uint(key string, n uint64) {
	at := len(w.mem)
	w.mem = strconv.AppendUint(w.mem, n, 10)
	w.end(key, at)
}

func (w *writer) int(key string, n int64) {
	at := len(w.mem)
	w.mem = strconv.AppendInt(w.mem, n, 10)
	w.end(key, at)
}

// time writes a moment as 2026-11-03T14:05:09.123456Z, none for the zero time.
func (w *writer) time(key string, t time.Time) {
	if t.IsZero() {
		return
	}
	at := len(w.mem)
	w.mem = appendTime(w.mem, t)
	w.end(key, at)
}

// replyTo writes topic/partition.
func (w *writer) replyTo(to muster.ReplyTo) {
	if to.Topic == "" {
		return
	}
	at := len(w.mem)
	w.mem = append(append(w.mem, to.Topic...), '/')
	w.mem = strconv.AppendInt(w.mem, int64(to.Partition), 10)
	w.end(headReplyTo, at)
}

func (w *writer) fingerprint(sum uint32) { w.hex(headFingerprint, sum) }

// hex writes eight hex digits.
func (w *writer) hex(key string, sum uint32) {
	const digits = "0123456789abcdef"
	at := len(w.mem)
	for shift := 28; shift >= 0; shift -= 4 {
		w.mem = append(w.mem, digits[sum>>shift&15])
	}
	w.end(key, at)
}

// own writes the user headers behind the toolkit's.
func (w *writer) own(all muster.Headers) {
	for i := range all {
		w.heads = append(w.heads, kgo.RecordHeader(all[i]))
	}
}

// key takes the bytes of a record's key from the same memory.
func (w *writer) key(id string) []byte {
	at := len(w.mem)
	w.mem = append(w.mem, id...)
	return w.mem[at:len(w.mem):len(w.mem)]
}

// eventKey is the key of an event: aggregate id, slash, revision.
func (w *writer) eventKey(id string, revision uint64) []byte {
	at := len(w.mem)
	w.mem = append(append(w.mem, id...), '/')
	w.mem = strconv.AppendUint(w.mem, revision, 10)
	return w.mem[at:len(w.mem):len(w.mem)]
}

// end makes a header of what lies in mem from at on.
func (w *writer) end(key string, at int) {
	w.heads = append(w.heads, kgo.RecordHeader{Key: key, Value: w.mem[at:len(w.mem):len(w.mem)]})
}

// appendTime appends t in UTC with six digits of a second, as time.AppendFormat would, in a third of its time.
//
//	0    5  8  11 14 17 20     26
//	2026-11-03T14:05:09.123456Z
func appendTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return t.AppendFormat(dst, time.RFC3339Nano)
	}
	hour, minute, second := t.Clock()
	dst = appendDigits(dst, year, 1000)
	dst = appendDigits(append(dst, '-'), int(month), 10)
	dst = appendDigits(append(dst, '-'), day, 10)
	dst = appendDigits(append(dst, 'T'), hour, 10)
	dst = appendDigits(append(dst, ':'), minute, 10)
	dst = appendDigits(append(dst, ':'), second, 10)
	dst = appendDigits(append(dst, '.'), t.Nanosecond()/1000, 100_000)
	return append(dst, 'Z')
}

// appendDigits appends n with leading zeros; unit is the value of its first digit.
func appendDigits(dst []byte, n, unit int) []byte {
	for ; unit > 0; unit /= 10 {
		dst = append(dst, byte('0'+n/unit%10))
	}
	return dst
}
