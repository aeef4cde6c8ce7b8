package projector

import (
	"encoding/binary"
	"errors"
	"math"
	"time"
)

// shardMeta stands beside the checkpoints of a shard and is written with every batch.
type shardMeta struct {
	acts    int64  // see Change.Acts
	batches uint64 // how many were committed
	letters uint64 // the place of the next letter in their order
}

// A meta record:
//
//	0           1              9                 17
//	+-----------+--------------+-----------------+-----------------+
//	| version 1 | acts i64 BE  | batches u64 BE  | letters u64 BE  |
const metaOne = 1

func appendShardMeta(dst []byte, m shardMeta) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, metaOne), uint64(m.acts))
	dst = binary.BigEndian.AppendUint64(dst, m.batches)
	return binary.BigEndian.AppendUint64(dst, m.letters)
}

func decodeShardMeta(b []byte) (shardMeta, error) {
	r := reading{b: b}
	r.version("meta", metaOne)
	m := shardMeta{acts: int64(r.u64()), batches: r.u64(), letters: r.u64()}
	return m, r.done()
}

// A checkpoint record; its key has the source:
//
//	0           1              17              25                 33             41
//	+-----------+--------------+---------------+------------------+--------------+- - - - - - - - - - -
//	| version 1 | topic id 16  | next i64 BE   | last at i64 BE   | time i64 BE  | id of the last event
//
// time is in Unix nanoseconds, the least number standing for none.
const checkpointOne = 1

func appendCheckpoint(dst []byte, c *Checkpoint) []byte {
	dst = append(append(dst, checkpointOne), c.TopicID[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(c.Next))
	dst = binary.BigEndian.AppendUint64(dst, uint64(c.LastAt))
	return append(appendTime(dst, c.Time), c.LastEvent...)
}

func decodeCheckpoint(b []byte) (Checkpoint, error) {
	r := reading{b: b}
	r.version("checkpoint", checkpointOne)
	var c Checkpoint
	copy(c.TopicID[:], r.bytes(16))
	c.Next, c.LastAt, c.Time = int64(r.u64()), int64(r.u64()), r.time()
	c.LastEvent = string(r.b)
	if r.err == nil && (c.Next < 0 || c.LastAt < -1) {
		return c, errors.New("checkpoint record with a negative offset")
	}
	return c, r.err
}

func appendTime(dst []byte, t time.Time) []byte {
	nanos := int64(math.MinInt64)
	if !t.IsZero() {
		nanos = t.UnixNano()
	}
	return binary.BigEndian.AppendUint64(dst, uint64(nanos))
}

func (r *reading) time() time.Time {
	nanos := int64(r.u64())
	if nanos == math.MinInt64 || r.err != nil {
		return time.Time{}
	}
	return time.Unix(0, nanos).UTC()
}

// An indexes record:
//
//	0           1
//	+-----------+----------------+- - - - - - - - - - - -
//	| version 1 | count uvarint  | each: length, name
const indexesOne = 1

func appendIndexes(dst []byte, names []string) []byte {
	dst = binary.AppendUvarint(append(dst, indexesOne), uint64(len(names)))
	for _, name := range names {
		dst = appendText(dst, name)
	}
	return dst
}

func decodeIndexes(b []byte) ([]string, error) {
	r := reading{b: b}
	r.version("indexes", indexesOne)
	n := r.count()
	if n > MaxIndexes {
		r.fail(errors.New("indexes record with too many names"))
		n = 0
	}
	names := make([]string, 0, n)
	for range n {
		names = append(names, r.text())
	}
	return names, r.done()
}
