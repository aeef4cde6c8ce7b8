package projector

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// storeFormat is the version of the view store as a whole: its keys, its kinds and what is in the records.
//
//	history
//	1   0.1   rows, entries, counters, checkpoints, letters
//
// A store of an older format is read, or upgraded in place when it is opened. A store of a newer one cannot be read: it is moved aside and its
// views are built anew from the journals.
type storeFormat uint16

const (
	storeFormatOne     storeFormat = 1
	storeFormatCurrent             = storeFormatOne
)

// errNewerFormat marks what a newer build has written.
var errNewerFormat = errors.New("written by a newer build")

// The store format record:
//
//	0                    12                14
//	+--------------------+-----------------+
//	| "MUSTER-VIEWS"     | format u16 BE   |
const storeMagic = "MUSTER-VIEWS"

func appendStoreFormat(dst []byte, f storeFormat) []byte {
	return binary.BigEndian.AppendUint16(append(dst, storeMagic...), uint16(f))
}

// decodeStoreFormat reads the store format record. A format above ours gives an error that wraps errNewerFormat.
func decodeStoreFormat(b []byte) (storeFormat, error) {
	if len(b) < len(storeMagic)+2 || string(b[:len(storeMagic)]) != storeMagic {
		return 0, errors.New("the store format record is not ours")
	}
	f := storeFormat(binary.BigEndian.Uint16(b[len(storeMagic):]))
	switch {
	case f == 0:
		return 0, errors.New("store format 0 was never given")
	case f > storeFormatCurrent:
		return 0, fmt.Errorf("store format %d, this build reads up to %d: %w", f, storeFormatCurrent, errNewerFormat)
	}
	return f, nil
}

// The record of a shard's number, and of the last number given:
//
//	0             1
//	+-------------+------------------+
//	| version 1   | number u32 BE    |
const numberOne = 1

func appendNumber(dst []byte, n keyRange) []byte {
	return binary.BigEndian.AppendUint32(append(dst, numberOne), uint32(n))
}

func decodeNumber(b []byte) (keyRange, error) {
	r := reading{b: b}
	r.version("number", numberOne)
	n := r.u32()
	if err := r.done(); err != nil {
		return 0, err
	}
	if keyRange(n) == ownRange {
		return 0, errors.New("number record with 0, which is the store's own")
	}
	return keyRange(n), nil
}
