package kafka

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
)

// EncodeCloudEvent gives the record of a CloudEvent in the binary mode of the Kafka binding, for a topic with so many partitions: in the partition
// of its key, or where there is no key of its id. It has none of the toolkit's own headers: for readers of the toolkit it is [ErrForeign].
// The payload and the values of user headers are not copied.
func EncodeCloudEvent(e *muster.CloudEvent, topic string, partitions int32) *kgo.Record {
	w := newWriter(metaHeads+len(e.Headers), metaBytes+len(e.ID)+len(e.Source)+len(e.Type)+len(e.Subject)+len(e.ContentType)+len(e.DataSchema)+
		len(e.CorrelationID)+len(e.CausationID)+len(e.TraceParent)+len(e.TraceState)+len(e.Key))
	var key []byte
	if e.Key != "" {
		key = w.key(e.Key)
	}
	w.text(headSpecVersion, specVersion)
	w.text(headID, e.ID)
	w.text(headSource, e.Source)
	w.text(headType, e.Type)
	w.text(headSubject, e.Subject)
	w.time(headTime, e.Time)
	w.text(headContentType, e.ContentType)
	w.text(headCorrelation, e.CorrelationID)
	w.text(headCausation, e.CausationID)
	w.text(headSchema, e.DataSchema)
	w.trace(e.TraceParent, e.TraceState)
	w.own(e.Headers)
	return &kgo.Record{Topic: topic, Partition: Partition(keyOr(e.Key, e.ID), partitions), Key: key, Value: notNull(e.Payload), Headers: w.heads}
}

// EncodeRemoval gives the record that removes a key from a compacted topic with so many partitions: one without a value.
func EncodeRemoval(key, topic string, partitions int32) *kgo.Record {
	return &kgo.Record{Topic: topic, Partition: Partition(key, partitions), Key: []byte(key)}
}

// DecodeCloudEvent reads a record in the binary mode of CloudEvents' Kafka binding, whoever wrote it. A null value is [ErrTombstone]. A record without
// ce_specversion, ce_id, ce_source or ce_type is [ErrForeign]: it is no CloudEvent, or one in structured mode. Payload and the values of user
// headers share memory with r. The extensions that the toolkit does not know are left out.
func DecodeCloudEvent(r *kgo.Record) (muster.CloudEvent, error) {
	if r.Value == nil {
		return muster.CloudEvent{}, fmt.Errorf("%v: %w", positionOf(r), ErrTombstone)
	}
	var h heads
	h.read(r.Headers)
	if find(r.Headers, headSpecVersion) == nil || len(h.id) == 0 || len(h.source) == 0 || len(h.kind) == 0 {
		return muster.CloudEvent{}, fmt.Errorf("%v: no CloudEvent in binary mode: %w", positionOf(r), ErrForeign)
	}
	all := textsOf(h.id, h.source, h.kind, h.subject, h.correlation, h.causation, h.schema, h.traceParent, h.traceState)
	e := muster.CloudEvent{
		ID: all.next(h.id), Source: all.next(h.source), Type: all.next(h.kind), Subject: all.next(h.subject),
		CorrelationID: all.next(h.correlation), CausationID: all.next(h.causation), DataSchema: all.next(h.schema),
		TraceParent: all.next(h.traceParent), TraceState: all.next(h.traceState),
		ContentType: h.content(), Headers: h.own(r.Headers), Key: string(r.Key), Payload: r.Value,
	}
	if h.time != nil {
		var ok bool
		if e.Time, ok = readTime(h.time); !ok {
			return muster.CloudEvent{}, malformed(positionOf(r), "ce_time %s is no time as RFC 3339 has it", quoted(h.time))
		}
	}
	return e, nil
}

func keyOr(key, otherwise string) string {
	if key == "" {
		return otherwise
	}
	return key
}
