package kafka

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The checkpoints topic of a service keeps what projections without a store of their own have to remember: effects and Kafka sinks. The
// records of a shard lie in one partition, under keys that begin alike:
//
//	key                                                       value
//	<name>@<version>/<generation>/<shard>/checkpoint/<topic>/<partition>  JSON: where that source goes on
//	<name>@<version>/<generation>/<shard>/letter/<id>         the event's payload, with its headers and those of a letter
//	<name>@<version>/<generation>/<shard>/acts                JSON: the last act of an operator that is done
//
// <shard> is its number, or "all" for the only shard of a replicated projection. A null value removes the key.

// LedgerPartitions is how many partitions a checkpoints topic has, for life: shard n lies in partition n modulo this.
const LedgerPartitions = 12

// LedgerTopic gives the checkpoints topic of a service.
func LedgerTopic(prefix, service string) string { return prefix + "checkpoints." + service }

// LedgerShard names a shard in a checkpoints topic.
type LedgerShard struct {
	Projection string // name@version
	Generation int
	Number     int32 // negative: the only one
}

// Prefix is what its keys begin with.
func (s LedgerShard) Prefix() string {
	return s.Projection + "/" + strconv.Itoa(s.Generation) + "/" + s.number() + "/"
}

// String gives name@version/generation/number, as transactional ids have it.
func (s LedgerShard) String() string { return strings.TrimSuffix(s.Prefix(), "/") }

// Partition is where its records lie.
func (s LedgerShard) Partition() int32 { return max(s.Number, 0) % LedgerPartitions }

func (s LedgerShard) number() string {
	if s.Number < 0 {
		return "all"
	}
	return strconv.Itoa(int(s.Number))
}

const (
	ledgerCheckpoint = "checkpoint/"
	ledgerLetter     = "letter/"
	// ActsKey is the key of the acts, without the shard's prefix.
	ActsKey = "acts"
)

// LedgerCheckpoint says where a source goes on.
type LedgerCheckpoint struct {
	Topic     string
	Partition int32
	TopicID   [16]byte
	Next      int64
	LastEvent string
	LastAt    int64
	Time      time.Time
}

// checkpointForm is the JSON value of a checkpoint.
type checkpointForm struct {
	Format    int       `json:"format"`
	TopicID   string    `json:"topic_id"`
	Next      int64     `json:"next"`
	LastEvent string    `json:"last_event,omitempty"`
	LastAt    int64     `json:"last_at"`
	Time      time.Time `json:"time,omitzero"`
}

// actsForm is the JSON value of the acts.
type actsForm struct {
	Format int   `json:"format"`
	Acts   int64 `json:"acts"`
}

// LedgerRecord is a record of a checkpoints topic: one of the pointers is set, or Removed is true.
type LedgerRecord struct {
	Key        string // without the shard's prefix
	Checkpoint *LedgerCheckpoint
	Letter     *LedgerLetter
	Acts       *int64
	Removed    bool
}

// EncodeLedger gives the record for a shard's entry.
func EncodeLedger(s LedgerShard, topic string, e LedgerRecord) *kgo.Record {
	r := &kgo.Record{Topic: topic, Partition: s.Partition()}
	key := e.Key
	switch {
	case e.Removed:
	case e.Checkpoint != nil:
		c := e.Checkpoint
		key = ledgerCheckpoint + c.Topic + "/" + strconv.Itoa(int(c.Partition))
		r.Value = mustJSON(checkpointForm{Format: 1, TopicID: hex.EncodeToString(c.TopicID[:]), Next: c.Next, LastEvent: c.LastEvent, LastAt: c.LastAt, Time: c.Time.UTC()})
		r.Headers = []kgo.RecordHeader{{Key: headFormat, Value: []byte(formatOne)}}
	case e.Acts != nil:
		key = ActsKey
		r.Value = mustJSON(actsForm{Format: 1, Acts: *e.Acts})
		r.Headers = []kgo.RecordHeader{{Key: headFormat, Value: []byte(formatOne)}}
	case e.Letter != nil:
		key = LetterKey(e.Letter.ID)
		e.Letter.encode(r)
	}
	r.Key = []byte(s.Prefix() + key)
	return r
}

// LetterKey is the key of a letter, without the shard's prefix.
func LetterKey(id string) string { return ledgerLetter + id }

// mustJSON encodes numbers and texts; that cannot fail.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil { // a year above 9999 is the only way
		return []byte(`{"format":0}`)
	}
	return b
}

// DecodeLedger reads a record of a checkpoints topic. ErrForeign: it belongs to another shard, or is of a kind that this build does not know. Any
// other error is a DataLoss muster.Error that names topic, partition and offset. The payload of a letter shares memory with r.
func DecodeLedger(r *kgo.Record, s LedgerShard) (LedgerRecord, error) {
	key, ours := strings.CutPrefix(string(r.Key), s.Prefix())
	if !ours {
		return LedgerRecord{}, ErrForeign
	}
	e := LedgerRecord{Key: key}
	if r.Value == nil {
		e.Removed = true
		return e, nil
	}
	if format := find(r.Headers, headFormat); string(format) != formatOne {
		return e, malformed(positionOf(r), "muster-format %s; this build reads %s, so a newer one is needed", quoted(format), formatOne)
	}
	source, isCheckpoint := strings.CutPrefix(key, ledgerCheckpoint)
	id, isLetter := strings.CutPrefix(key, ledgerLetter)
	var err error
	switch {
	case isCheckpoint:
		e.Checkpoint, err = decodeCheckpoint(r, source)
	case isLetter:
		e.Letter, err = decodeLetter(r, id)
	case key == ActsKey:
		var form actsForm
		if json.Unmarshal(r.Value, &form) != nil || form.Format != 1 {
			return e, malformed(positionOf(r), "it does not say which acts are done")
		}
		e.Acts = &form.Acts
	default:
		return e, fmt.Errorf("%v: an entry of unknown kind: %w", positionOf(r), ErrForeign)
	}
	return e, err
}

func decodeCheckpoint(r *kgo.Record, source string) (*LedgerCheckpoint, error) {
	topic, number, found := strings.Cut(source, "/")
	partition, isNumber := readCount([]byte(number))
	if !found || !isNumber || !topicName(topic) {
		return nil, malformed(positionOf(r), "the key of a checkpoint names no source")
	}
	var form checkpointForm
	if json.Unmarshal(r.Value, &form) != nil || form.Format != 1 {
		return nil, malformed(positionOf(r), "a checkpoint is not valid JSON of format 1")
	}
	c := &LedgerCheckpoint{
		Topic: topic, Partition: int32(partition), Next: form.Next, LastEvent: form.LastEvent, LastAt: form.LastAt, Time: form.Time.UTC(),
	}
	id, err := hex.DecodeString(form.TopicID)
	if err != nil || len(id) != len(c.TopicID) || c.Next < 0 || c.LastAt < -1 || c.LastAt >= c.Next && c.LastAt != -1 {
		return nil, malformed(positionOf(r), "a checkpoint contradicts itself")
	}
	copy(c.TopicID[:], id)
	return c, nil
}
