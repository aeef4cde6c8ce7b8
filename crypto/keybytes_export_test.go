package crypto

import "bytes"

// KeyRowAgain decodes a row and encodes it; the encodings are equal if it is one of ours.
func KeyRowAgain(b []byte) (again []byte, err error) {
	r, err := decodeRow(b)
	if err != nil {
		return nil, err
	}
	return r.encode(), nil
}

// FoldKeyRecord folds a record into a row that a topic has, and gives the row as it is then.
func FoldKeyRecord(row, key, value []byte, offset int64) ([]byte, error) {
	record := &keyRecord{offset: offset, key: key, value: value}
	subject, is := record.subjectOf()
	if !is {
		return row, nil
	}
	r, err := rowOf(subject, row)
	if err != nil {
		return nil, err
	}
	if err := r.take(record); err != nil {
		return nil, err
	}
	for range 2 { // what mends says nothing new
		mending := r.mending()
		if len(mending) == 0 {
			break
		}
		for _, m := range mending {
			offset++
			m.offset = offset
			if err := r.take(&m); err != nil {
				return nil, err
			}
		}
	}
	if len(r.mending()) > 0 {
		return nil, errNotMended
	}
	encoded := r.encode()
	again, err := KeyRowAgain(encoded)
	if err == nil && !bytes.Equal(again, encoded) {
		err = errNotMended
	}
	return encoded, err
}

var errNotMended = &Fault{"a row that does not come to rest", 0}

// ErrNotMended is what FoldKeyRecord gives for a fold that does not converge.
var ErrNotMended = errNotMended
