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
const stateOne row = 1

const stateBytes = 17 // without the state itself

func putState(dst []byte, s *muster.StoredState) {
	dst[0] = stateOne
	binary.BigEndian.PutUint64(dst[1:], s.Revision)
	binary.BigEndian.PutUint64(dst[9:], uint64(s.Offset))
	copy(dst[stateBytes:], s.Data)
}

// decodeState reads a state record. Data is copied, since b belongs to Pebble.
func decodeState(b []byte) (muster.StoredState, error) {
	if err := checkRow("state", b, stateBytes, stateOne); err != nil {
		return muster.StoredState{}, err
	}
	revision, offset := binary.BigEndian.Uint64(b[1:]), binary.BigEndian.Uint64(b[9:])
	if revision == 0 || offset > math.MaxInt64 {
		return muster.StoredState{}, errors.New("state record with revision 0 or a negative offset")
	}
	data := make([]byte, len(b)-stateBytes)
	copy(data, b[stateBytes:])
	return muster.StoredState{Revision: revision, Offset: int64(offset), Data: data}, nil
}
