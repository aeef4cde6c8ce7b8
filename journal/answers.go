package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/seed-3eec0498/muster"
)

// The answers of one Store lie in one record, or in a few where they are many: a look at one of them reads its record as a whole. The table of places at its front lets a reader go to the n-th answer at once:
//
//	0             1                        9                13                        13+4n
//	+-------------+------------------------+----------------+-------------------------+- - - - - - - - - -
//	| version 1   | time i64 BE, Unix µs   | count n u32 BE | place u32 BE, n times   | answer, n times
//
// A place counts from the beginning of the record. An answer:
//
//	+------------+-----+--------------------+--------------------+------------------+------------------------+-----------------+- - - -
//	| length u8  | id  | fingerprint u32 BE | revision, uvarint  | offset, varint   | time, varint: µs after | size+1, uvarint | outcome
//	|            |     |                    |                    | -1: no event     | the record's           | 0: not kept     |
const answersOne row = 1

const (
	answersBytes = 13
	placeBytes   = 4

	// An answer has at most this many bytes beside id and outcome: length 1, fingerprint 4, four varints.
	answerBytes = 1 + 4 + 4*binary.MaxVarintLen64

	maxIDBytes = math.MaxUint8
)

// A record is closed when it has this many answers, or this many bytes of outcomes.
const (
	recordAnswers = 500
	recordBytes   = 256 << 10
)

// records cuts answers into what becomes one record each.
func records(answers []muster.Remembered) iter.Seq[[]muster.Remembered] {
	return func(yield func([]muster.Remembered) bool) {
		for len(answers) > 0 {
			n, bytes := 0, 0
			for n < len(answers) && n < recordAnswers && bytes < recordBytes {
				bytes += len(answers[n].Outcome)
				n++
			}
			if !yield(answers[:n]) {
				return
			}
			answers = answers[n:]
		}
	}
}

// answersSize gives an upper bound for what appendAnswers appends.
func answersSize(answers []muster.Remembered) int {
	size := answersBytes
	for i := range answers {
		size += placeBytes + answerBytes + len(answers[i].CommandID) + len(answers[i].Outcome)
	}
	return size
}

// appendAnswers appends a record with all answers; the ids have been checked.
func appendAnswers(dst []byte, at int64, answers []muster.Remembered) []byte {
	start := len(dst)
	dst = append(dst, answersOne)
	dst = binary.BigEndian.AppendUint64(dst, uint64(at))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(answers)))
	places := len(dst)
	for range answers {
		dst = append(dst, 0, 0, 0, 0)
	}
	for i := range answers {
		a := &answers[i]
		binary.BigEndian.PutUint32(dst[places+i*placeBytes:], uint32(len(dst)-start))
		dst = append(dst, byte(len(a.CommandID)))
		dst = append(dst, a.CommandID...)
		dst = binary.BigEndian.AppendUint32(dst, a.Fingerprint)
		dst = binary.AppendUvarint(dst, a.Revision)
		dst = binary.AppendVarint(dst, a.Offset)
		dst = binary.AppendVarint(dst, micros(a.Time, at)-at)
		if a.Outcome == nil {
			dst = binary.AppendUvarint(dst, 0)
			continue
		}
		dst = binary.AppendUvarint(dst, uint64(len(a.Outcome))+1)
		dst = append(dst, a.Outcome...)
	}
	return dst
}

// answerRecord reads a record of answers in place.
type answerRecord struct {
	at    int64
	count int
	bytes []byte
}

func openAnswers(b []byte) (answerRecord, error) {
	if err := checkRow("answers", b, answersBytes, answersOne); err != nil {
		return answerRecord{}, err
	}
	count := binary.BigEndian.Uint32(b[9:])
	if uint64(count)*placeBytes > uint64(len(b)-answersBytes) {
		return answerRecord{}, fmt.Errorf("answers record of %d bytes cannot hold %d answers", len(b), count)
	}
	return answerRecord{at: int64(binary.BigEndian.Uint64(b[1:])), count: int(count), bytes: b}, nil
}

// id gives the i-th command id, sharing memory with the record, and what follows it.
func (r answerRecord) id(i int) (id, rest []byte, err error) {
	if i < 0 || i >= r.count {
		return nil, nil, fmt.Errorf("answer %d of %d asked for", i, r.count)
	}
	place := uint64(binary.BigEndian.Uint32(r.bytes[answersBytes+i*placeBytes:]))
	if place >= uint64(len(r.bytes)) {
		return nil, nil, fmt.Errorf("answer %d lies outside its record", i)
	}
	rest = r.bytes[place:]
	length := int(rest[0])
	if len(rest) < 1+length {
		return nil, nil, fmt.Errorf("answer %d is cut off", i)
	}
	return rest[1 : 1+length], rest[1+length:], nil
}

// answer decodes the i-th answer. Nothing in it shares memory with the record.
func (r answerRecord) answer(i int) (muster.Remembered, error) {
	cut := errors.New("an answer is cut off")
	id, rest, err := r.id(i)
	if err != nil {
		return muster.Remembered{}, err
	}
	if len(rest) < 4 {
		return muster.Remembered{}, cut
	}
	a := muster.Remembered{CommandID: string(id), Fingerprint: binary.BigEndian.Uint32(rest)}
	rest = rest[4:]
	var n int
	if a.Revision, n = binary.Uvarint(rest); n <= 0 {
		return muster.Remembered{}, cut
	}
	rest = rest[n:]
	if a.Offset, n = binary.Varint(rest); n <= 0 {
		return muster.Remembered{}, cut
	}
	rest = rest[n:]
	after, n := binary.Varint(rest)
	if n <= 0 {
		return muster.Remembered{}, cut
	}
	a.Time = time.UnixMicro(r.at + after).UTC()
	rest = rest[n:]
	size, n := binary.Uvarint(rest)
	if n <= 0 || size > uint64(len(rest)-n)+1 {
		return muster.Remembered{}, cut
	}
	if size > 0 {
		a.Outcome = make([]byte, size-1)
		copy(a.Outcome, rest[n:])
	}
	return a, nil
}

// micros gives t in Unix microseconds, or what stands for it where t is zero.
func micros(t time.Time, otherwise int64) int64 {
	if t.IsZero() {
		return otherwise
	}
	return t.UnixMicro()
}
