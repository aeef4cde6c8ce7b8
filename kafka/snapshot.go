package kafka

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
)

// The headers of a record in the snapshots topic, beside muster-format. They are for owners alone, so they are no CloudEvents.
//
//	ce_source      name of the group                                             both
//	ce_sequence    revision of the state, decimal                                state
//	muster-offset  journal offset of its last event, decimal                     state
//	muster-subjects  subject_refs of those who have data in the aggregate's events, 32 hex digits each; absent where nobody has    state
//	muster-sum     8 hex digits: CRC-32C of key, 0, revision, offset, value and, where there are any, the
//	               subject_refs; a pass has 0 for revision and offset            both
const (
	headOffset = "muster-offset"
	headSum    = "muster-sum"

	headSubjects = "muster-subjects"
)

// passKey is the record key of a [muster.SnapshotPass]. No aggregate id has a control character.
const passKey = "\x01pass"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// snapshotSum covers all that is told of a state: revision and offset as 8 bytes each, big endian.
func snapshotSum(key []byte, revision uint64, offset int64, value, subjects []byte) uint32 {
	var numbers [17]byte
	binary.BigEndian.PutUint64(numbers[1:], revision)
	binary.BigEndian.PutUint64(numbers[9:], uint64(offset))
	sum := crc32.Update(0, castagnoli, key)
	sum = crc32.Update(sum, castagnoli, numbers[:])
	sum = crc32.Update(sum, castagnoli, value)
	return crc32.Update(sum, castagnoli, subjects)
}

// subjectsText gives the header of subjects, nil where there are none.
func subjectsText(refs []muster.SubjectRef) []byte {
	if len(refs) == 0 {
		return nil
	}
	text := make([]byte, 0, 32*len(refs))
	for i := range refs {
		text = hex.AppendEncode(text, refs[i][:])
	}
	return text
}

func readSubjects(text []byte) ([]muster.SubjectRef, bool) {
	if len(text) == 0 {
		return nil, true
	}
	data := make([]byte, hex.DecodedLen(len(text)))
	if _, err := hex.Decode(data, text); err != nil || len(data)%16 != 0 {
		return nil, false
	}
	refs := make([]muster.SubjectRef, len(data)/16)
	for i := range refs {
		copy(refs[i][:], data[16*i:])
	}
	return refs, true
}

// EncodeSnapshot gives the record of a state: key aggregate id, value the encoded state, which is not copied. An empty state is written as
// an empty value, because null would be a tombstone.
func EncodeSnapshot(g *muster.Group, partition int32, s *muster.StoredState, topic string) *kgo.Record {
	subjects := subjectsText(s.Subjects)
	w := newWriter(6, len(g.Name())+len(s.AggregateID)+3*wordBytes+8)
	key, value := w.key(s.AggregateID), notNull(s.Data)
	w.text(headFormat, formatOne)
	w.text(headSource, g.Name())
	w.uint(headSequence, s.Revision)
	w.int(headOffset, s.Offset)
	w.hex(headSum, snapshotSum(key, s.Revision, s.Offset, value, subjects))
	if subjects != nil {
		w.heads = append(w.heads, kgo.RecordHeader{Key: headSubjects, Value: subjects})
	}
	return &kgo.Record{Topic: topic, Partition: partition, Key: key, Value: value, Headers: w.heads}
}

// pass is the value of a pass record.
type pass struct {
	Journal   int64     `json:"journal"`
	Answers   int64     `json:"answers"`
	LastEvent string    `json:"lastEvent,omitempty"`
	LastAt    int64     `json:"lastAt"`
	Topic     string    `json:"topic"`
	States    int       `json:"states"`
	Time      time.Time `json:"time"`
}

// EncodeSnapshotPass gives the record of a pass. Its value is JSON, for operators to read.
func EncodeSnapshotPass(g *muster.Group, p *muster.SnapshotPass, topic string) (*kgo.Record, error) {
	value, err := json.Marshal(pass{
		Journal: p.Journal, Answers: p.Answers, LastEvent: p.LastEvent, LastAt: p.LastAt,
		Topic: hex.EncodeToString(p.TopicID[:]), States: p.States, Time: p.Time.UTC(),
	})
	if err != nil {
		return nil, fmt.Errorf("%s[%d]: encode a snapshot pass: %w", topic, p.Partition, err)
	}
	w := newWriter(3, len(g.Name())+len(passKey)+8)
	key := w.key(passKey)
	w.text(headFormat, formatOne)
	w.text(headSource, g.Name())
	w.hex(headSum, snapshotSum(key, 0, 0, value, nil))
	return &kgo.Record{Topic: topic, Partition: p.Partition, Key: key, Value: value, Headers: w.heads}, nil
}

// DecodeSnapshot reads a record of the snapshots topic of g: a state, or a pass, which is not nil then. [ErrTombstone] and [ErrForeign]
// are as with [DecodeEvent]; any other error is a DataLoss [muster.Error] that names topic, partition and offset: the record is
// corrupt, or of a newer format. Data shares memory with r.
func DecodeSnapshot(r *kgo.Record, g *muster.Group) (muster.StoredState, *muster.SnapshotPass, error) {
	none := muster.StoredState{}
	if r.Value == nil {
		return none, nil, fmt.Errorf("%v: %w", positionOf(r), ErrTombstone)
	}
	var h heads
	h.read(r.Headers)
	switch {
	case h.format == nil:
		return none, nil, fmt.Errorf("%v: no muster-format header: %w", positionOf(r), ErrForeign)
	case string(h.format) != formatOne:
		return none, nil, malformed(positionOf(r), "muster-format %s; this build reads %s, so a newer one is needed", quoted(h.format), formatOne)
	case string(h.source) != g.Name():
		return none, nil, malformed(positionOf(r), "ce_source %s; these snapshots are group %s's", quoted(h.source), strconv.Quote(g.Name()))
	}
	sum, ok := readFingerprint(find(r.Headers, headSum))
	if string(r.Key) == passKey {
		if !ok || sum != snapshotSum(r.Key, 0, 0, r.Value, nil) {
			return none, nil, malformed(positionOf(r), "the checksum of a pass does not fit")
		}
		p, err := decodePass(r)
		return none, p, err
	}
	revision, isRevision := readUint(h.sequence)
	offset, isOffset := readUint(find(r.Headers, headOffset))
	text := find(r.Headers, headSubjects)
	subjects, isSubjects := readSubjects(text)
	if !ok || !isRevision || !isOffset || !isSubjects || sum != snapshotSum(r.Key, revision, int64(offset), r.Value, text) {
		return none, nil, malformed(positionOf(r), "the checksum of a state does not fit")
	}
	if err := checkText(r.Key, muster.CheckAggregateID); err != nil || revision == 0 || int64(offset) < 0 {
		return none, nil, malformed(positionOf(r), "key, revision or offset cannot be those of a state")
	}
	if want := int32(murmur2(r.Key)&0x7fffffff) % g.Partitions(); want != r.Partition {
		return none, nil, malformed(positionOf(r), "the aggregate belongs into partition %d of %d", want, g.Partitions())
	}
	return muster.StoredState{AggregateID: string(r.Key), Revision: revision, Offset: int64(offset), Data: r.Value, Subjects: subjects, Unindexed: len(subjects)}, nil, nil
}

func decodePass(r *kgo.Record) (*muster.SnapshotPass, error) {
	var read pass
	if err := json.Unmarshal(r.Value, &read); err != nil {
		return nil, malformed(positionOf(r), "a pass is not valid JSON")
	}
	p := &muster.SnapshotPass{
		Partition: r.Partition, Journal: read.Journal, Answers: read.Answers, LastEvent: read.LastEvent, LastAt: read.LastAt,
		States: read.States, Time: read.Time.UTC(),
	}
	topic, err := hex.DecodeString(read.Topic)
	if err != nil || copy(p.TopicID[:], topic) != len(p.TopicID) || len(topic) != len(p.TopicID) {
		return nil, malformed(positionOf(r), "a pass has no topic id")
	}
	if p.Answers < 0 || p.Answers > p.Journal || p.LastAt < -1 || p.LastAt >= p.Journal && p.LastAt != -1 || p.States < 0 {
		return nil, malformed(positionOf(r), "a pass contradicts itself")
	}
	return p, nil
}
