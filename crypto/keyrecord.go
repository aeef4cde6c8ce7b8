package crypto

import (
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
	"time"
)

// Records of a key topic. The partition is that of the subject, the first four bytes of subject_ref (big-endian) modulo the number of partitions, so
// that all about a subject has one order. The pieces are those of a row (keyrowcode.go), without the places of changes: these are 0.
//
//	key                          value
//	subject_ref 16 | key id 16   format 1 | entry; born is 0 in the first append, whose offset plus one it then is
//	subject_ref 16               format 1 | life | number of receipts | receipts
//	tick/<partition>             time in microseconds since 1970, decimal
//
// A null value under the first kind of key takes back a candidate that has lost. A key that is none of these is passed over.
const keyRecordFormat = 1 // 0.4

const tickPrefix = "tick/"

var errKeyRecord = errors.New("crypto: a record of the key topic is not of a format that this build knows; was it written by a newer build?")

// partitionOf gives where a subject's keys lie, in a topic of so many partitions.
func partitionOf(s SubjectRef, partitions int32) int32 {
	return int32(binary.BigEndian.Uint32(s[:]) % uint32(partitions))
}

func entryKey(subject SubjectRef, id KeyID) []byte {
	return append(append(make([]byte, 0, 32), subject[:]...), id[:]...)
}

func (h heldKey) record() []byte {
	h.changed, h.stale = 0, false
	return h.append([]byte{keyRecordFormat})
}

func markerRecord(life uint32, receipts []Receipt) []byte {
	b := binary.AppendUvarint([]byte{keyRecordFormat}, uint64(life))
	b = binary.AppendUvarint(b, uint64(len(receipts)))
	for i := range receipts {
		b = appendReceipt(b, &receipts[i], 0)
	}
	return b
}

func decodeEntryRecord(subject SubjectRef, value []byte) (heldKey, error) {
	d := &rowReader{rest: value}
	if d.byte() != keyRecordFormat {
		return heldKey{}, errKeyRecord
	}
	h := d.entry(subject)
	if d.bad || len(d.rest) > 0 {
		return heldKey{}, errKeyRecord
	}
	return h, nil
}

func decodeMarkerRecord(subject SubjectRef, value []byte) (life uint32, receipts []Receipt, err error) {
	d := &rowReader{rest: value}
	if d.byte() != keyRecordFormat {
		return 0, nil, errKeyRecord
	}
	life = d.uint32()
	for range d.count(5) {
		t, _ := d.receipt(subject)
		receipts = append(receipts, t)
	}
	if d.bad || len(d.rest) > 0 {
		return 0, nil, errKeyRecord
	}
	return life, receipts, nil
}

// keyRecord is a record of a key topic.
type keyRecord struct {
	offset     int64
	key, value []byte
}

// subjectOf gives the subject that a record is about; false when it is about none.
func (r *keyRecord) subjectOf() (subject SubjectRef, is bool) {
	if r.isTick() || len(r.key) != 16 && len(r.key) != 32 {
		return SubjectRef{}, false
	}
	return SubjectRef(r.key[:16]), true
}

func (r *keyRecord) isTick() bool {
	return len(r.key) < 16 && strings.HasPrefix(string(r.key), tickPrefix)
}

func tickRecord(partition int32, now time.Time) (key, value []byte) {
	return []byte(tickPrefix + strconv.Itoa(int(partition))), strconv.AppendInt(nil, now.UnixMicro(), 10)
}

// take folds a record about this subject.
func (r *keyRow) take(record *keyRecord) error {
	place := record.offset + 1
	if len(record.key) == 16 {
		if record.value == nil { // nobody writes that: what holds is written again
			r.stale = len(r.ended) > 0
			return nil
		}
		life, receipts, err := decodeMarkerRecord(r.subject, record.value)
		if err != nil {
			return err
		}
		r.takeMarker(life, receipts, place)
		return nil
	}
	id := KeyID(record.key[16:])
	if record.value == nil {
		if i := r.index(id); i >= 0 { // it is no loser, so it is not to be forgotten
			r.entries[i].stale = true
		}
		return nil
	}
	h, err := decodeEntryRecord(r.subject, record.value)
	if err != nil || h.ID != id {
		return errKeyRecord
	}
	r.takeHeld(h, place)
	return nil
}

// mending gives the records that say what holds, where what was written last says something else.
func (r *keyRow) mending() (records []keyRecord) {
	if r.stale {
		records = append(records, keyRecord{key: r.subject[:], value: markerRecord(r.life, r.receipts())})
	}
	for i := range r.entries {
		if r.entries[i].stale {
			records = append(records, keyRecord{key: entryKey(r.subject, r.entries[i].ID), value: r.entries[i].record()})
		}
	}
	return records
}
