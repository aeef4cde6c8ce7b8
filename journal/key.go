package journal

import (
	"encoding/binary"
	"fmt"
)

// kind is the sort of row, one byte in its key. Numbers are never given twice.
type kind uint8

const (
	kindMeta      kind = 1 // one row per partition: how far it is; in the store's own range the store format
	kindState     kind = 2 // one row per aggregate; in the store's own range one row per group name
	kindAnswers   kind = 3 // one row per Store: the command ids of a batch with their outcomes
	kindTimers    kind = 4 // reserved for durable timers
	kindSnapshots kind = 5 // at most one row per partition: how far its snapshots are complete
	kindSubjects  kind = 6 // one row per subject and aggregate: whose data is where
	kindErased    kind = 7 // one row per erasure that was carried out here
)

// Keys. Everything that belongs to one partition lies side by side, so that it can be dropped as one range:
//
//	0                  2                     6            7
//	+------------------+---------------------+------------+- - - - - - - - - - - - - - - -
//	| group u16 BE     | partition u32 BE    | kind u8    | meta: nothing
//	|                  |                     |            | state: aggregate id
//	|                  |                     |            | answers: sequence u64 BE
//	|                  |                     |            | snapshots: nothing
//	|                  |                     |            | subjects: subject_ref, 16 bytes, and aggregate id
//	|                  |                     |            | erased: id of an erasure
//
// Group 0, partition 0 is the store's own range: its meta row holds the store format, its state rows map a group's name to its number.
const (
	prefixBytes = 6
	headBytes   = prefixBytes + 1
)

// ownGroup is the number of the store's own range; groups are numbered from 1.
const ownGroup = 0

// prefix is the beginning that all keys of one partition share.
type prefix [prefixBytes]byte

func prefixOf(group uint16, partition int32) prefix {
	var p prefix
	binary.BigEndian.PutUint16(p[:2], group)
	binary.BigEndian.PutUint32(p[2:], uint32(partition))
	return p
}

// end gives the first key behind the partition. The partition number has 31 bits, so that adding one cannot carry into the group.
func (p prefix) end() prefix {
	binary.BigEndian.PutUint32(p[2:], binary.BigEndian.Uint32(p[2:])+1)
	return p
}

// key gives the key of a row of the partition.
func (p prefix) key(k kind, rest string) []byte {
	b := make([]byte, 0, headBytes+len(rest))
	b = append(b, p[:]...)
	b = append(b, byte(k))
	return append(b, rest...)
}

// answers gives the key of a batch of answers.
func (p prefix) answers(sequence uint64) []byte {
	b := make([]byte, 0, headBytes+8)
	b = append(b, p[:]...)
	b = append(b, byte(kindAnswers))
	return binary.BigEndian.AppendUint64(b, sequence)
}

// sequenceOf reads the sequence out of a key that prefix.answers made.
func sequenceOf(key []byte) (uint64, error) {
	if len(key) != headBytes+8 || kind(key[prefixBytes]) != kindAnswers {
		return 0, fmt.Errorf("a key of %d bytes is no answers key", len(key))
	}
	return binary.BigEndian.Uint64(key[headBytes:]), nil
}

// redacted prints a key without the ids in it: Pebble's errors and logs show keys.
type redacted []byte

// Format gives group, partition and kind.
func (k redacted) Format(f fmt.State, _ rune) {
	if len(k) < headBytes {
		_, _ = fmt.Fprintf(f, "(%d bytes)", len(k))
		return
	}
	_, _ = fmt.Fprintf(f, "%d/%d/%d/(%d bytes)", binary.BigEndian.Uint16(k), binary.BigEndian.Uint32(k[2:]), k[prefixBytes], len(k)-headBytes)
}
