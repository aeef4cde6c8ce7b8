package projector

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// rowKind is the sort of record in the store, one byte in its key. Numbers are never given twice.
type rowKind uint8

const (
	kindMeta       rowKind = 1 // one per shard: see shardMeta; in the store's own range the store format
	kindIndexes    rowKind = 2 // one per shard: the indexes its entries were made for
	kindCheckpoint rowKind = 3 // one per source
	kindLetter     rowKind = 4 // one per letter
	kindRow        rowKind = 5 // one per row
	kindEntry      rowKind = 6 // one per row and index value
	kindCounter    rowKind = 7 // one per counter
	kindShard      rowKind = 8 // in the store's own range: the number of each shard
	kindNumber     rowKind = 9 // in the store's own range: the last number given
)

// Keys. Everything of one shard of one generation of one view lies side by side under a number, so that it can be dropped as one range:
//
//	0                4         5
//	+----------------+---------+- - - - - - - - - - - - - - - - - - - - - - - - - - -
//	| number u32 BE  | kind u8 | meta, indexes, number: nothing
//	|                |         | checkpoint: partition u32 BE, topic
//	|                |         | letter: its id
//	|                |         | row: its key
//	|                |         | entry: index u8, value escaped, 0x00 0x01, key of the row
//	|                |         | counter: its name
//	|                |         | shard: generation u32 BE, shard u32 BE, name@version
//
// In an escaped value 0x00 is 0x00 0xff, so that entries are in the order of values, then of keys. Number 0 is the store's own. A number is never
// given twice: what is left of a dropped range, whatever the reason, is nobody's.
const keyHead = 5

// keyRange is the number of a shard, as its keys begin with it.
type keyRange uint32

const ownRange keyRange = 0

func (r keyRange) key(k rowKind, rest string) []byte {
	return append(r.head(make([]byte, 0, keyHead+len(rest)), k), rest...)
}

// head appends the beginning of a key.
func (r keyRange) head(dst []byte, k rowKind) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(r)), byte(k))
}

// bounds gives the first key of a kind and the first one behind it.
func (r keyRange) bounds(k rowKind) (low, high []byte) { return r.key(k, ""), r.key(k+1, "") }

// all gives the bounds of everything of a shard.
func (r keyRange) all() (low, high []byte) {
	return binary.BigEndian.AppendUint32(nil, uint32(r)), binary.BigEndian.AppendUint32(nil, uint32(r)+1)
}

func (r keyRange) checkpoint(s Source) []byte {
	return append(binary.BigEndian.AppendUint32(r.head(nil, kindCheckpoint), uint32(s.Partition)), s.Topic...)
}

// sourceOf reads what keyRange.checkpoint wrote.
func sourceOf(key []byte) (Source, error) {
	if len(key) <= keyHead+4 {
		return Source{}, fmt.Errorf("a key of %d bytes is no checkpoint's", len(key))
	}
	return Source{Topic: string(key[keyHead+4:]), Partition: int32(binary.BigEndian.Uint32(key[keyHead:]))}, nil
}

// entry is one value of one index.
type entry struct {
	index uint8
	value string
}

// entry appends the key of an entry; the same without a row's key begins all entries with the value.
func (r keyRange) entry(dst []byte, e entry, key string) []byte {
	return append(append(r.entryPrefix(dst, e), 0, 1), key...)
}

// entryPrefix appends what begins the keys of all entries whose value begins with that of e.
func (r keyRange) entryPrefix(dst []byte, e entry) []byte {
	dst = append(r.head(dst, kindEntry), e.index)
	for i := range len(e.value) {
		if dst = append(dst, e.value[i]); e.value[i] == 0 {
			dst = append(dst, 0xff)
		}
	}
	return dst
}

// entryOf reads what keyRange.entry wrote.
func entryOf(stored []byte) (e entry, key string, err error) {
	if len(stored) < keyHead+1 || rowKind(stored[keyHead-1]) != kindEntry {
		return e, "", errors.New("the key is no entry's")
	}
	e.index = stored[keyHead]
	rest := stored[keyHead+1:]
	var value []byte
	for {
		at := bytes.IndexByte(rest, 0)
		if at < 0 || at+1 == len(rest) {
			return e, "", errors.New("the key of an entry has no end of its value")
		}
		value = append(value, rest[:at]...)
		mark := rest[at+1]
		rest = rest[at+2:]
		switch mark {
		case 1:
			e.value = string(value)
			return e, string(rest), nil
		case 0xff:
			value = append(value, 0)
		default:
			return e, "", errors.New("the key of an entry has a bad escape")
		}
	}
}

// shardID names one shard of one generation.
type shardID struct {
	projection string // name@version
	generation int
	number     int32
}

func idOf(s Shard) shardID { return shardID{s.Projection, s.Generation, s.Number} }

// String gives what logs and errors say.
func (id shardID) String() string {
	text := id.projection
	if id.number != Whole {
		text = fmt.Sprintf("%s/%d", text, id.number)
	}
	if id.generation != 0 {
		text = fmt.Sprintf("%s (generation %d)", text, id.generation)
	}
	return text
}

func (id shardID) key() []byte {
	b := binary.BigEndian.AppendUint32(ownRange.head(nil, kindShard), uint32(id.generation))
	return append(binary.BigEndian.AppendUint32(b, uint32(id.number)), id.projection...)
}

// shardOf reads what shardID.key wrote.
func shardOf(key []byte) (shardID, error) {
	if len(key) <= keyHead+8 {
		return shardID{}, fmt.Errorf("a key of %d bytes is no shard's", len(key))
	}
	return shardID{
		generation: int(binary.BigEndian.Uint32(key[keyHead:])), number: int32(binary.BigEndian.Uint32(key[keyHead+4:])), projection: string(key[keyHead+8:]),
	}, nil
}

// hiddenKey prints a key without what users put into it: Pebble's errors and logs show keys.
type hiddenKey []byte

// Format gives number, kind and the length of the rest.
func (k hiddenKey) Format(f fmt.State, _ rune) {
	if len(k) < keyHead {
		_, _ = fmt.Fprintf(f, "(%d bytes)", len(k))
		return
	}
	_, _ = fmt.Fprintf(f, "%d/%d/(%d bytes)", binary.BigEndian.Uint32(k), k[keyHead-1], len(k)-keyHead)
}
