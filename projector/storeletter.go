package projector

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/seed-3eec0498/muster"
)

// A letter record; its key has the id. Texts and bytes have their length in front, numbers of one byte and more are uvarints, times are those of
// a checkpoint record:
//
//	0           1               9
//	+-----------+---------------+- - - - - - - - - - - - - - - - - - - - - - - - - - - - - -
//	| version 1 | order u64 BE  | kind, key, reason, cause: texts; attempts; at: time
//	                            | event: id, type, group, aggregate id: texts; revision; time
//	                            |   correlation id, causation id, content type, data schema, trace parent, trace state: texts
//	                            |   number of headers, each: key, value: there u8, bytes
//	                            |   topic: text; partition u32 BE; offset u64 BE; attempt; payload: there u8, bytes
//	                            |   index; count; answer: there u8, bytes; fingerprint u32 BE
//
// "there" is 0 for bytes that are nil, which are no bytes and not empty ones.
const letterOne = 1

func appendLetter(dst []byte, order uint64, l *Letter) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, letterOne), order)
	dst = appendText(appendText(appendText(appendText(dst, string(l.Kind)), l.Key), l.Reason), l.Cause)
	dst = appendTime(binary.AppendUvarint(dst, uint64(l.Attempts)), l.At)
	e := &l.Event
	dst = appendText(appendText(appendText(appendText(dst, e.ID), e.Type), e.Group), e.AggregateID)
	dst = appendTime(binary.AppendUvarint(dst, e.Revision), e.Time)
	for _, text := range []string{e.CorrelationID, e.CausationID, e.ContentType, e.DataSchema, e.TraceParent, e.TraceState} {
		dst = appendText(dst, text)
	}
	dst = binary.AppendUvarint(dst, uint64(len(e.Headers)))
	for _, h := range e.Headers {
		dst = appendMaybe(appendText(dst, h.Key), h.Value)
	}
	dst = binary.BigEndian.AppendUint32(appendText(dst, e.Topic), uint32(e.Partition))
	dst = binary.AppendUvarint(binary.BigEndian.AppendUint64(dst, uint64(e.Offset)), uint64(e.Attempt))
	dst = appendMaybe(dst, e.Payload)
	dst = binary.AppendUvarint(binary.AppendUvarint(dst, uint64(e.Index)), uint64(e.Count))
	return binary.BigEndian.AppendUint32(appendMaybe(dst, e.Answer), e.Fingerprint)
}

func appendMaybe(dst, b []byte) []byte {
	if b == nil {
		return append(dst, 0)
	}
	return appendBlob(append(dst, 1), b)
}

// decodeLetter reads a letter record; nothing of b is kept.
func decodeLetter(id string, b []byte) (order uint64, l Letter, err error) {
	r := reading{b: b}
	r.version("letter", letterOne)
	order = r.u64()
	l = Letter{ID: id, Kind: Kind(r.text()), Key: r.text(), Reason: r.text(), Cause: r.text(), Attempts: r.int(), At: r.time()}
	e := &l.Event
	e.ID, e.Type, e.Group, e.AggregateID = r.text(), r.text(), r.text(), r.text()
	e.Revision, e.Time = r.uvarint(), r.time()
	for _, text := range []*string{&e.CorrelationID, &e.CausationID, &e.ContentType, &e.DataSchema, &e.TraceParent, &e.TraceState} {
		*text = r.text()
	}
	if n := r.count(); n > 0 {
		e.Headers = make(muster.Headers, 0, min(n, muster.MaxHeaders))
		for range n {
			e.Headers = append(e.Headers, muster.Header{Key: r.text(), Value: r.maybe()})
		}
	}
	e.Topic, e.Partition, e.Offset, e.Attempt = r.text(), int32(r.u32()), int64(r.u64()), r.int()
	e.Payload = r.maybe()
	e.Index, e.Count = r.int(), r.int()
	e.Answer, e.Fingerprint = r.maybe(), r.u32()
	return order, l, r.done()
}

func (r *reading) int() int {
	n := r.uvarint()
	if n > math.MaxInt32 {
		r.fail(errors.New("a number is too large"))
		return 0
	}
	return int(n)
}

func (r *reading) maybe() []byte {
	switch there := r.byte(); {
	case there == 1:
		return append([]byte{}, r.blob()...)
	case there > 1:
		r.fail(errors.New("bytes are neither there nor not"))
	}
	return nil
}
