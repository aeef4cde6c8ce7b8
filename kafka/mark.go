package kafka

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
)

// MarkType is the ce_type of a mark.
const MarkType = "muster.DeadLetterMark"

// EncodeMark gives the record that says what became of a dead letter of g. It goes behind the letter, into its topic and partition; its
// value is empty.
func EncodeMark(m *muster.DeadLetterMark, g *muster.Group) *kgo.Record {
	letter := m.Letter.String()
	w := newWriter(metaHeads+4, 4*len(letter)+len(m.CommandID)+2*len(m.AggregateID)+len(g.Name())+len(m.By)+min(len(m.Note), maxCauseText)+9*wordBytes)
	key := w.key(m.AggregateID)
	w.meta(&muster.Meta{
		ID: letter + "/mark", Group: g.Name(), Type: MarkType, AggregateID: m.AggregateID, Time: m.Time, CausationID: m.CommandID,
	})
	w.text(headMark, string(m.Kind))
	w.text(headLetter, letter)
	w.text(headBy, m.By)
	w.text(headNote, string(cut([]byte(m.Note), maxCauseText)))
	return &kgo.Record{Topic: m.Letter.Topic, Partition: m.Letter.Partition, Key: key, Value: []byte{}, Headers: w.heads}
}

// DecodeMark reads a mark from the dead letter topic of g. A record that is none is [ErrForeign]; any other error is a DataLoss
// [muster.Error] that names the position.
func DecodeMark(r *kgo.Record, g *muster.Group) (muster.DeadLetterMark, error) {
	kind := find(r.Headers, headMark)
	var h heads
	h.read(r.Headers)
	bad := func(key string, value []byte, want string) (muster.DeadLetterMark, error) {
		return muster.DeadLetterMark{}, malformed(positionOf(r), "%s %s; %s", key, quoted(value), want)
	}
	letter, ok := readPosition(find(r.Headers, headLetter))
	at, timed := readTime(h.time)
	switch {
	case kind == nil || h.format == nil:
		return muster.DeadLetterMark{}, fmt.Errorf("%v: no mark: %w", positionOf(r), ErrForeign)
	case string(h.format) != formatOne:
		return bad(headFormat, h.format, "this build reads "+formatOne+", so a newer one is needed")
	case string(h.source) != g.Name():
		return bad(headSource, h.source, "this topic is another group's")
	case string(kind) != string(muster.MarkReplayed) && string(kind) != string(muster.MarkDropped):
		return bad(headMark, kind, "this build knows replayed and dropped")
	case !ok || letter.Topic != r.Topic || letter.Partition != r.Partition || letter.Offset >= r.Offset:
		return bad(headLetter, find(r.Headers, headLetter), "it names no place before the mark in its partition")
	case !timed:
		return bad(headTime, h.time, "it is no time as RFC 3339 has it")
	}
	return muster.DeadLetterMark{
		Letter: letter, Kind: muster.MarkKind(kind), CommandID: string(h.causation), AggregateID: string(cut(r.Key, muster.MaxAggregateID)),
		Time: at, By: string(find(r.Headers, headBy)), Note: string(find(r.Headers, headNote)),
	}, nil
}
