package kafka

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
)

// trimKey is the record key of a [muster.TrimMark]. No aggregate id has a control character. A mark has no muster-format, so that builds which
// do not know it pass over it.
const trimKey = "\x01trim"

// trimMark is the value of a mark of trimming.
type trimMark struct {
	Before    int64     `json:"before"`
	Pass      int64     `json:"pass"`
	Snapshots int64     `json:"snapshots"`
	Time      time.Time `json:"time"`
}

// EncodeTombstone gives the record that removes an event from the journal: its key and a null value.
func EncodeTombstone(e muster.EventKey, partition int32, topic string) *kgo.Record {
	w := newWriter(0, len(e.AggregateID)+wordBytes)
	return &kgo.Record{Topic: topic, Partition: partition, Key: w.eventKey(e.AggregateID, e.Revision)}
}

// DecodeTombstone tells which event a record of the journal removes; false when it is no tombstone of an event.
func DecodeTombstone(r *kgo.Record) (muster.EventKey, bool) {
	at := bytes.LastIndexByte(r.Key, '/')
	if r.Value != nil || at <= 0 {
		return muster.EventKey{}, false
	}
	revision, ok := readUint(r.Key[at+1:])
	if !ok || revision == 0 {
		return muster.EventKey{}, false
	}
	return muster.EventKey{AggregateID: string(r.Key[:at]), Revision: revision}, true
}

// EncodeTrimMark gives the record of a mark. Its value is JSON, for operators to read.
func EncodeTrimMark(g *muster.Group, m *muster.TrimMark, topic string) (*kgo.Record, error) {
	value, err := json.Marshal(trimMark{Before: m.Before, Pass: m.Pass, Snapshots: m.Snapshots, Time: m.Time.UTC()})
	if err != nil {
		return nil, fmt.Errorf("%s[%d]: encode a mark of trimming: %w", topic, m.Partition, err)
	}
	w := newWriter(2, len(g.Name())+len(trimKey)+8)
	key := w.key(trimKey)
	w.text(headSource, g.Name())
	w.hex(headSum, snapshotSum(key, 0, 0, value, nil))
	return &kgo.Record{Topic: topic, Partition: m.Partition, Key: key, Value: value, Headers: w.heads}, nil
}

// DecodeTrimMark reads a mark from a record of the journal of g; nil when it is another record. The error is a DataLoss [muster.Error] that names
// topic, partition and offset: it is a mark, and it cannot be read.
func DecodeTrimMark(r *kgo.Record, g *muster.Group) (*muster.TrimMark, error) {
	if string(r.Key) != trimKey || r.Value == nil {
		return nil, nil
	}
	var h heads
	h.read(r.Headers)
	if string(h.source) != g.Name() {
		return nil, malformed(positionOf(r), "ce_source %s; this journal is group %s's", quoted(h.source), strconv.Quote(g.Name()))
	}
	if sum, ok := readFingerprint(find(r.Headers, headSum)); !ok || sum != snapshotSum(r.Key, 0, 0, r.Value, nil) {
		return nil, malformed(positionOf(r), "the checksum of a mark of trimming does not fit")
	}
	var read trimMark
	if err := json.Unmarshal(r.Value, &read); err != nil {
		return nil, malformed(positionOf(r), "a mark of trimming is not valid JSON")
	}
	if read.Before < 0 || read.Before > r.Offset || read.Pass < 0 || read.Snapshots < 0 {
		return nil, malformed(positionOf(r), "a mark of trimming contradicts itself")
	}
	return &muster.TrimMark{Partition: r.Partition, Before: read.Before, Pass: read.Pass, Snapshots: read.Snapshots, Time: read.Time.UTC()}, nil
}
