package kafka

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/seed-3eec0498/muster"
)

const (
	maxDeadRecord  = maxBatchBytes - 512 // of value and headers: leaves room for the frame of a batch of one
	headerFrame    = 8                   // bytes a header takes at most besides key and value
	maxCauseText   = 4 << 10
	maxCauseDetail = 16 << 10 // all details together
)

// EncodeDeadLetter gives the record of a dead letter: key and partition of the command, its value byte for byte, its headers, and the cause
// in headers of its own. A null value is written as an empty one, with muster-null beside it.
//
// It always fits into a topic that takes Kafka's default of 1,048,588 bytes: a value, user headers or details that do not fit are left
// out and named with their size in muster-omitted; muster-origin says where the original lies.
func EncodeDeadLetter(d *muster.DeadLetter, topic string) *kgo.Record {
	c := &d.Command
	w := newWriter(metaHeads+16+len(d.Cause.Details)+len(c.Headers), metaSize(&c.Meta)+2*len(c.AggregateID)+len(c.ReplyTo.Topic)+
		len(c.Topic)+len(d.Cause.Reason)+min(len(d.Cause.Message), maxCauseText)+9*wordBytes)
	key := w.key(c.AggregateID)
	w.meta(&c.Meta)
	w.demands(c)
	omitted := w.cause(d)

	size := len(key)
	for i := range w.heads {
		size += headerFrame + len(w.heads[i].Key) + len(w.heads[i].Value)
	}
	value := notNull(c.Payload)
	if size+len(value) > maxDeadRecord {
		omitted = append(omitted, "value="+strconv.Itoa(len(value)))
		value = []byte{}
	}
	size += len(value)
	own := 0
	for i := range c.Headers {
		own += headerFrame + len(c.Headers[i].Key) + len(c.Headers[i].Value)
	}
	if size+own > maxDeadRecord {
		omitted = append(omitted, "headers="+strconv.Itoa(len(c.Headers)))
	}
	w.text(headOmitted, strings.Join(omitted, " "))
	if size+own <= maxDeadRecord {
		w.own(c.Headers)
	}
	return &kgo.Record{Topic: topic, Partition: c.Partition, Key: key, Value: value, Headers: w.heads, Timestamp: d.Time}
}

// cause writes why, when and where from, and gives what it had to leave out.
func (w *writer) cause(d *muster.DeadLetter) (omitted []string) {
	w.text(headCauseCode, d.Cause.Code.String())
	w.text(headCauseReason, d.Cause.Reason)
	w.text(headCauseMessage, string(cut([]byte(d.Cause.Message), maxCauseText)))
	if d.Cause.Retry {
		w.text(headCauseRetry, "true")
	}
	room := maxCauseDetail
	for i, detail := range d.Cause.Details {
		packed, err := proto.Marshal(detail)
		if room -= len(packed); err != nil || room < 0 {
			omitted = append(omitted, "details="+strconv.Itoa(len(d.Cause.Details)-i))
			break
		}
		w.bytes(headCauseDetail, packed)
	}
	w.time(headCauseTime, d.Time)
	if from := d.Command.Position(); from.Topic != "" {
		w.text(headOrigin, from.String())
	}
	if d.Command.Payload == nil {
		w.text(headNull, "true")
	}
	return omitted
}

// Omitted says what a dead letter had to leave out, as its muster-omitted header does; "" when it is whole.
func Omitted(r *kgo.Record) string { return string(find(r.Headers, headOmitted)) }

// DecodeDeadLetter reads a record of the dead letter topic of g. The position of the command is that of the original, not of r. Records
// without muster-format are [ErrForeign], marks are [ErrMark]; any other error is a DataLoss [muster.Error] that names topic, partition and offset. Payload
// and the values of user headers share memory with r.
func DecodeDeadLetter(r *kgo.Record, g *muster.Group) (muster.DeadLetter, error) {
	var h heads
	h.read(r.Headers)
	if h.format == nil {
		return muster.DeadLetter{}, fmt.Errorf("%v: no muster-format header: %w", positionOf(r), ErrForeign)
	}
	if string(h.format) != formatOne {
		return muster.DeadLetter{}, malformed(positionOf(r), "muster-format %s; this build reads %s, so a newer one is needed",
			quoted(h.format), formatOne)
	}
	if find(r.Headers, headMark) != nil {
		return muster.DeadLetter{}, fmt.Errorf("%v: %w", positionOf(r), ErrMark)
	}
	if string(h.source) != g.Name() {
		return muster.DeadLetter{}, malformed(positionOf(r), "ce_source %s; this topic is group %q's", quoted(h.source), g.Name())
	}
	d := muster.DeadLetter{Command: h.command(r)}
	d.Command.Group = g.Name()
	if fault := readCause(r.Headers, &d); fault != "" {
		return muster.DeadLetter{}, malformed(positionOf(r), "%s", fault)
	}
	return d, nil
}

// readCause reads what cause wrote, and says what is wrong with it, "" when nothing is.
func readCause(all []kgo.RecordHeader, d *muster.DeadLetter) string {
	var ok bool
	if d.Cause.Code, ok = codeNamed(find(all, headCauseCode)); !ok {
		return headCauseCode + " " + quoted(find(all, headCauseCode)) + " is no code this build knows"
	}
	d.Cause.Reason = string(find(all, headCauseReason))
	d.Cause.Message = string(find(all, headCauseMessage))
	d.Cause.Retry = string(find(all, headCauseRetry)) == "true"
	for i := range all {
		if all[i].Key != headCauseDetail {
			continue
		}
		detail := &anypb.Any{}
		if err := proto.Unmarshal(all[i].Value, detail); err != nil {
			return headCauseDetail + " is no google.protobuf.Any"
		}
		d.Cause.Details = append(d.Cause.Details, detail)
	}
	if b := find(all, headCauseTime); b != nil {
		if d.Time, ok = readTime(b); !ok {
			return headCauseTime + " " + quoted(b) + " is no time as RFC 3339 has it"
		}
	}
	if b := find(all, headOrigin); b != nil {
		from, ok := readPosition(b)
		if !ok {
			return headOrigin + " " + quoted(b) + " is not topic[partition]@offset"
		}
		d.Command.Topic, d.Command.Partition, d.Command.Offset = from.Topic, from.Partition, from.Offset
	}
	if find(all, headNull) != nil {
		d.Command.Payload = nil
	}
	return ""
}

// codeNamed finds a code by its canonical name.
func codeNamed(name []byte) (muster.Code, bool) {
	for c := muster.OK; c.Valid(); c++ {
		if c.String() == string(name) {
			return c, true
		}
	}
	return 0, false
}

// readPosition reads what [muster.Position.String] writes.
func readPosition(b []byte) (muster.Position, bool) {
	at := bytes.LastIndexByte(b, '@')
	if at < 1 || b[at-1] != ']' {
		return muster.Position{}, false
	}
	open := bytes.LastIndexByte(b[:at], '[')
	if open < 0 || !topicName(b[:open]) {
		return muster.Position{}, false
	}
	partition, ok := readCount(b[open+1 : at-1])
	offset, err := strconv.ParseInt(string(b[at+1:]), 10, 64)
	if !ok || err != nil || offset < 0 {
		return muster.Position{}, false
	}
	return muster.Position{Topic: string(b[:open]), Partition: int32(partition), Offset: offset}, true
}
