package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// meta says how far a partition is. It is written with every Store, in the same Pebble batch as what it speaks of.
//
//	first <= next;  rows of kind answers have sequences in [first, next)
//	every stored state has an offset below journal
//	lastAt < journal
type meta struct {
	topic     [16]byte // id of the journal topic; zero where the broker gave none
	journal   int64    // journal offset next to read
	lastAt    int64    // offset of the last event applied; -1 before the first
	lastEvent string   // its id
	first     uint64   // sequence of the oldest answers kept
	next      uint64   // sequence the next answers get
	time      int64    // of the last batch, Unix microseconds; never goes back
}

// A meta record:
//
//	0             1              17                25                 33              41              49               57
//	+-------------+--------------+-----------------+------------------+---------------+---------------+----------------+- - - - - - - -
//	| version 1   | topic id 16  | journal i64 BE  | last at i64 BE   | first u64 BE  | next u64 BE   | time i64 BE    | last event id
const metaOne row = 1

const (
	metaBytes     = 57      // without the event id
	maxEventBytes = 1 << 10 // of an event id; the contract's limits keep them far below
)

func appendMeta(dst []byte, m *meta) []byte {
	dst = append(dst, metaOne)
	dst = append(dst, m.topic[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(m.journal))
	dst = binary.BigEndian.AppendUint64(dst, uint64(m.lastAt))
	dst = binary.BigEndian.AppendUint64(dst, m.first)
	dst = binary.BigEndian.AppendUint64(dst, m.next)
	dst = binary.BigEndian.AppendUint64(dst, uint64(m.time))
	return append(dst, m.lastEvent...)
}

func decodeMeta(b []byte) (meta, error) {
	if err := checkRow("meta", b, metaBytes, metaOne); err != nil {
		return meta{}, err
	}
	if len(b) > metaBytes+maxEventBytes {
		return meta{}, fmt.Errorf("meta record of %d bytes", len(b))
	}
	m := meta{
		topic:     [16]byte(b[1:17]),
		journal:   int64(binary.BigEndian.Uint64(b[17:])),
		lastAt:    int64(binary.BigEndian.Uint64(b[25:])),
		first:     binary.BigEndian.Uint64(b[33:]),
		next:      binary.BigEndian.Uint64(b[41:]),
		time:      int64(binary.BigEndian.Uint64(b[49:])),
		lastEvent: string(b[metaBytes:]),
	}
	if m.journal < 0 || m.lastAt < -1 || m.lastAt >= m.journal && m.lastAt != -1 || m.first > m.next || m.next-m.first > math.MaxUint32 {
		return meta{}, errors.New("meta record contradicts itself")
	}
	return m, nil
}

// Checkpoint is what a partition's stored state stands for, so that it can be compared with the journal before it is trusted.
type Checkpoint struct {
	Next      int64     // journal offset next to read; 0 for an empty partition
	LastEvent string    // id of the last event applied; empty when there is none
	LastAt    int64     // its journal offset; -1 when there is none
	TopicID   [16]byte  // of the journal topic; zero when unknown
	Time      time.Time // of the last batch stored; zero when there is none
	Answers   int       // command ids remembered

	// Wiped is the reason for which [GroupStore.Open] has just dropped the rows it found, such as [ReasonRecreatedTopic]; empty
	// when it kept them, or found none.
	Wiped string
}
