package projector

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/seed-3eec0498/muster"
)

// storedRow is a row as it lies in the store.
type storedRow struct {
	payload []byte // as the codec made it
	content string // its content type
	entries []entry
}

// A row record. The index values stand in it because they must be found again when the row changes, also by a build whose index functions give
// others.
//
//	0           1             2
//	+-----------+-------------+- - - - - - - - - - - - - - - +------------------+- - - - - - - - - - - - - - - - +- - - - - - - -
//	| version 1 | content u8  | if 0: length uvarint, text   | entries uvarint  | each: index u8, length, value  | payload
//
// content is 1 for protobuf, 2 for JSON, 3 for raw bytes, 0 for another type, which follows.
const rowOne = 1

var contents = []string{"", muster.ContentProtobuf, muster.ContentJSON, muster.ContentRaw}

func appendStoredRow(dst []byte, s storedRow) []byte {
	content := max(slices.Index(contents, s.content), 0)
	if dst = append(dst, rowOne, byte(content)); content == 0 {
		dst = appendText(dst, s.content)
	}
	dst = binary.AppendUvarint(dst, uint64(len(s.entries)))
	for _, e := range s.entries {
		dst = appendText(append(dst, e.index), e.value)
	}
	return append(dst, s.payload...)
}

// decodeStoredRow reads a row record; the payload stays part of b.
func decodeStoredRow(b []byte) (storedRow, error) {
	r := reading{b: b}
	r.version("row", rowOne)
	var s storedRow
	switch content := r.byte(); {
	case r.err != nil:
	case content == 0:
		s.content = r.text()
	case int(content) < len(contents):
		s.content = contents[content]
	default:
		r.fail(fmt.Errorf("row record with content type %d", content))
	}
	if n := r.count(); n > MaxEntries {
		r.fail(errors.New("row record with too many index values"))
	} else if n > 0 {
		s.entries = make([]entry, 0, n)
		for range n {
			s.entries = append(s.entries, entry{r.byte(), r.text()})
		}
	}
	s.payload = r.b
	return s, r.err
}

// appendEntry adds an entry that is not there yet.
func appendEntry(all []entry, e entry) []entry {
	if slices.Contains(all, e) {
		return all
	}
	return append(all, e)
}

// A counter record:
//
//	0           1
//	+-----------+---------------+
//	| version 1 | value i64 BE  |
const counterOne = 1

func appendCounter(dst []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, counterOne), uint64(n))
}

func decodeCounter(b []byte) (int64, error) {
	r := reading{b: b}
	r.version("counter", counterOne)
	n := int64(r.u64())
	return n, r.done()
}
