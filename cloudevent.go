package muster

import (
	"time"
	"unicode/utf8"
)

// CloudEvent is an event for readers who need not know the toolkit, in the terms of CloudEvents 1.0: what a Kafka sink publishes from the events of
// a journal. On the wire its attributes are headers, as the Kafka binding has them in binary mode; the value is the payload.
type CloudEvent struct {
	ID          string    // ce_id: unique together with Source
	Source      string    // ce_source: a URI reference, such as a group's name
	Type        string    // ce_type
	Subject     string    // ce_subject; may be empty
	Time        time.Time // ce_time, UTC, microseconds; zero: none
	ContentType string    // of the payload
	DataSchema  string    // ce_dataschema; may be empty

	CorrelationID string // ce_correlationid, of the whole conversation; may be empty
	CausationID   string // ce_causationid, of the event or command it comes from; may be empty
	TraceParent   string // W3C trace context; may be empty
	TraceState    string

	Headers Headers // what the attributes do not cover
	Key     string  // of the record: records with one key are in one partition, in order, and compaction keeps the last of them
	Payload []byte  // nil and empty are both an empty value, never null
}

// MaxRecordKey is how many bytes the key of a [CloudEvent] has at most.
const MaxRecordKey = 1024

const reasonBadAttribute = "bad-attribute"

// Check holds a CloudEvent against its limits: an id, a source and a type of 1 to 200 bytes, a subject of at most 200, a key of at most 1,024,
// the headers and the payload as those of other messages. The error is an InvalidArgument [Error].
func (e *CloudEvent) Check() error {
	for _, text := range []struct {
		name, value string
		optional    bool
		limit       int
	}{
		{"id", e.ID, false, MaxType},
		{"source", e.Source, false, MaxType},
		{"type", e.Type, false, MaxType},
		{"subject", e.Subject, true, MaxAggregateID},
		{"content type", e.ContentType, true, MaxType},
		{"schema", e.DataSchema, true, MaxRecordKey},
		{"correlation id", e.CorrelationID, true, MaxType},
		{"causation id", e.CausationID, true, MaxType},
	} {
		if text.optional && text.value == "" {
			continue
		}
		if err := checkName("CloudEvent: "+text.name, reasonBadAttribute, text.value, text.limit); err != nil {
			return err
		}
	}
	if len(e.Key) > MaxRecordKey || !utf8.ValidString(e.Key) {
		return refuse(InvalidArgument, reasonBadAttribute, "CloudEvent: the key has %d bytes; at most %d of UTF-8 are allowed", len(e.Key), MaxRecordKey)
	}
	if err := CheckHeaders(e.Headers); err != nil {
		return err
	}
	return CheckPayload("the data of a CloudEvent", len(e.Payload))
}
