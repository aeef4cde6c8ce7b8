package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// format is the version of the store as a whole: its keys, its kinds and what is in the rows. It stands in the store's own meta row.
//
//	history
//	1   0.1   meta, state, answers and snapshots
//
// A store of an older format is read, or upgraded in place when it is opened. A store of a newer one cannot be read: it is moved
// aside and built anew from the journal.
type format uint16

const (
	formatOne     format = 1
	formatCurrent        = formatOne
)

// row is the version of one record, its first byte. Each record counts its own.
type row = byte

// errNewer marks what a newer build has written.
var errNewer = errors.New("written by a newer build")

// The store format record:
//
//	0              6                 8
//	+--------------+-----------------+
//	| "MUSTER"     | format u16 BE   |
const formatMagic = "MUSTER"

func appendFormat(dst []byte, f format) []byte {
	return binary.BigEndian.AppendUint16(append(dst, formatMagic...), uint16(f))
}

// decodeFormat reads the store format record. A format above ours gives an error that wraps errNewer.
func decodeFormat(b []byte) (format, error) {
	if len(b) < len(formatMagic)+2 || string(b[:len(formatMagic)]) != formatMagic {
		return 0, errors.New("the store format record is not ours")
	}
	f := format(binary.BigEndian.Uint16(b[len(formatMagic):]))
	if f == 0 {
		return 0, errors.New("store format 0 was never given")
	}
	if f > formatCurrent {
		return 0, fmt.Errorf("store format %d, this build reads up to %d: %w", f, formatCurrent, errNewer)
	}
	return f, nil
}

// checkRow compares a record's version with the newest one known.
func checkRow(what string, b []byte, atLeast int, newest row) error {
	if len(b) < atLeast {
		return fmt.Errorf("%s record of %d bytes, at least %d are needed", what, len(b), atLeast)
	}
	if b[0] == 0 || b[0] > newest {
		return fmt.Errorf("%s record version %d, this build reads up to %d: %w", what, b[0], newest, errNewer)
	}
	return nil
}

// A group's registry record:
//
//	0             1
//	+-------------+------------------+
//	| version 1   | number u16 BE    |
const registryOne row = 1

func appendRegistry(dst []byte, number uint16) []byte {
	return binary.BigEndian.AppendUint16(append(dst, registryOne), number)
}

func decodeRegistry(b []byte) (uint16, error) {
	if err := checkRow("group", b, 3, registryOne); err != nil {
		return 0, err
	}
	number := binary.BigEndian.Uint16(b[1:])
	if number == ownGroup {
		return 0, errors.New("group record with number 0, which is the store's own")
	}
	return number, nil
}
