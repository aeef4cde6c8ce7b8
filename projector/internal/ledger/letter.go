package ledger

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// letterFormat is the number in a letter's bytes; 1 is the only one so far.
const letterFormat = 1

// letter is a letter as it is stored, in JSON. Texts that others make are bytes, so that none is changed by being no UTF-8.
// Times are microseconds since 1970.
type letter struct {
	Format   int            `json:"format"`
	ID       string         `json:"id"`
	Kind     projector.Kind `json:"kind"`
	Key      []byte         `json:"key"`
	Reason   string         `json:"reason,omitempty"`
	Cause    []byte         `json:"cause,omitempty"`
	Attempts int            `json:"attempts,omitempty"`
	At       int64          `json:"at"`
	Event    event          `json:"event"`
}

type event struct {
	ID            []byte   `json:"id,omitempty"`
	Type          []byte   `json:"type,omitempty"`
	Group         []byte   `json:"group,omitempty"`
	AggregateID   []byte   `json:"aggregate,omitempty"`
	Revision      uint64   `json:"revision,omitempty"`
	Time          int64    `json:"time"`
	CorrelationID []byte   `json:"correlation,omitempty"`
	CausationID   []byte   `json:"causation,omitempty"`
	ContentType   []byte   `json:"content,omitempty"`
	DataSchema    []byte   `json:"schema,omitempty"`
	TraceParent   []byte   `json:"traceparent,omitempty"`
	TraceState    []byte   `json:"tracestate,omitempty"`
	Headers       []header `json:"headers,omitempty"`
	Topic         string   `json:"topic,omitempty"`
	Partition     int32    `json:"partition"`
	Offset        int64    `json:"offset"`
	Payload       []byte   `json:"payload"` // null: it had none
	Index         int      `json:"index"`
	Count         int      `json:"count"`
}

type header struct {
	Key   []byte `json:"key"`
	Value []byte `json:"value"`
}

// Encode gives a letter's bytes. The stored answer of the event's command is left out: no function sees it.
func Encode(l *projector.Letter) ([]byte, error) {
	ev := &l.Event
	e := event{
		ID: []byte(ev.ID), Type: []byte(ev.Type), Group: []byte(ev.Group), AggregateID: []byte(ev.AggregateID), Revision: ev.Revision, Time: ev.Time.UnixMicro(),
		CorrelationID: []byte(ev.CorrelationID), CausationID: []byte(ev.CausationID), ContentType: []byte(ev.ContentType), DataSchema: []byte(ev.DataSchema),
		TraceParent: []byte(ev.TraceParent), TraceState: []byte(ev.TraceState), Topic: ev.Topic, Partition: ev.Partition, Offset: ev.Offset,
		Payload: ev.Payload, Index: ev.Index, Count: ev.Count,
	}
	for _, h := range ev.Headers {
		e.Headers = append(e.Headers, header{[]byte(h.Key), h.Value})
	}
	b, err := json.Marshal(letter{letterFormat, l.ID, l.Kind, []byte(l.Key), l.Reason, []byte(l.Cause), l.Attempts, l.At.UnixMicro(), e})
	if err != nil {
		return nil, fmt.Errorf("letter %s: %w", l.ID, err)
	}
	return b, nil
}

// Decode reads what Encode wrote.
func Decode(b []byte) (projector.Letter, error) {
	var l letter
	if err := json.Unmarshal(b, &l); err != nil {
		return projector.Letter{}, fmt.Errorf("a stored letter cannot be read: %w; restore the row, or delete it to give the event up", err)
	}
	if l.Format != letterFormat {
		return projector.Letter{}, fmt.Errorf("letter %q has format %d, and this build knows %d; run the newer build", l.ID, l.Format, letterFormat)
	}
	e := &l.Event
	out := projector.Letter{ID: l.ID, Kind: l.Kind, Key: string(l.Key), Reason: l.Reason, Cause: string(l.Cause), Attempts: l.Attempts, At: time.UnixMicro(l.At).UTC()}
	out.Event = muster.Event{Payload: e.Payload, Index: e.Index, Count: e.Count, Meta: muster.Meta{
		ID: string(e.ID), Type: string(e.Type), Group: string(e.Group), AggregateID: string(e.AggregateID), Revision: e.Revision, Time: time.UnixMicro(e.Time).UTC(),
		CorrelationID: string(e.CorrelationID), CausationID: string(e.CausationID), ContentType: string(e.ContentType), DataSchema: string(e.DataSchema),
		TraceParent: string(e.TraceParent), TraceState: string(e.TraceState), Topic: e.Topic, Partition: e.Partition, Offset: e.Offset,
	}}
	for _, h := range e.Headers {
		out.Event.Headers = append(out.Event.Headers, muster.Header{Key: string(h.Key), Value: h.Value})
	}
	return out, nil
}

// Shown makes a text fit a text column: no zero bytes, valid UTF-8, not endless. The exact text is in the letter's bytes.
func Shown(s string) string {
	const most = 4096
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "?"), "?")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}
