package journal

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/seed-3eec0498/muster"
)

// A state record; its key holds the aggregate id:
//
//	0             1                   9                  17
//	+-------------+-------------------+------------------+- - - - - - - -
//	| version 1   | revision u64 BE   | offset u64 BE    | encoded state
//
// That of an aggregate with sealed data says whose it is, and the subjects are in the index, see subjects.go:
//
//	0             1                   9                  17             21
//	+-------------+-------------------+------------------+--------------+- - - - - - - - - - - - -+- - - - - - - -
//	| version 2   | revision u64 BE   | offset u64 BE    | count u32 BE | subject_refs, 16 each   | encoded state
const (
	stateOne row = 1
	stateTwo row = 2
)

const (
	stateBytes   = 17 // without the state itself
	subjectBytes = len(muster.SubjectRef{})
)

// stateSize gives the bytes of a state record.
func stateSize(s *muster.StoredState) int {
	if len(s.Subjects) == 0 {
		return stateBytes + len(s.Data)
	}
	return stateBytes + 4 + subjectBytes*len(s.Subjects) + len(s.Data)
}

func putState(dst []byte, s *muster.StoredState) {
	dst[0] = stateOne
	binary.BigEndian.PutUint64(dst[1:], s.Revision)
	binary.BigEndian.PutUint64(dst[9:], uint64(s.Offset))
	rest := dst[stateBytes:]
	if len(s.Subjects) > 0 {
		dst[0] = stateTwo
		binary.BigEndian.PutUint32(rest, uint32(len(s.Subjects)))
		rest = rest[4:]
		for i := range s.Subjects {
			rest = rest[copy(rest, s.Subjects[i][:]):]
		}
	}
	copy(rest, s.Data)
}

// decodeState reads a state record. Data is copied, since b belongs to Pebble.
func decodeState(b []byte) (muster.StoredState, error) {
	if err := checkRow("state", b, stateBytes, stateTwo); err != nil {
		return muster.StoredState{}, err
	}
	revision, offset := binary.BigEndian.Uint64(b[1:]), binary.BigEndian.Uint64(b[9:])
	if revision == 0 || offset > math.MaxInt64 {
		return muster.StoredState{}, errors.New("state record with revision 0 or a negative offset")
	}
	s := muster.StoredState{Revision: revision, Offset: int64(offset)}
	rest := b[stateBytes:]
	if b[0] == stateTwo {
		if len(rest) < 4 || uint64(len(rest)-4) < uint64(subjectBytes)*uint64(binary.BigEndian.Uint32(rest)) {
			return muster.StoredState{}, errors.New("state record that ends within its subjects")
		}
		s.Subjects = make([]muster.SubjectRef, binary.BigEndian.Uint32(rest))
		rest = rest[4:]
		for i := range s.Subjects {
			rest = rest[copy(s.Subjects[i][:], rest):]
		}
	}
	s.Data = make([]byte, len(rest))
	copy(s.Data, rest)
	return s, nil
}
