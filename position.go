package muster

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
)

// Position is a place in a topic. A reply carries the position of its last event, so that reads can wait for it.
type Position struct {
	Topic     string
	Partition int32
	Offset    int64 // of the record itself, not the next one
}

// IsZero tells that there is no position, as with an answer to a command that wrote no event.
func (p Position) IsZero() bool { return p == Position{} }

// String gives topic[partition]@offset, as errors and logs print it.
func (p Position) String() string { return fmt.Sprintf("%s[%d]@%d", p.Topic, p.Partition, p.Offset) }

// positionFormat is the first byte of a token; 1 is the only one so far.
const positionFormat = 1

// Token gives the position as an opaque text that fits an HTTP header; [ParseToken] reads it.
//
//	0          1                    n                   m
//	+----------+--------------------+-------------------+- - - - -+
//	| format 1 | partition, uvarint | offset, uvarint   | topic   |   base64url without padding
func (p Position) Token() string {
	b := []byte{positionFormat}
	b = binary.AppendUvarint(b, uint64(uint32(p.Partition)))
	b = binary.AppendUvarint(b, uint64(p.Offset))
	return base64.RawURLEncoding.EncodeToString(append(b, p.Topic...))
}

// ParseToken reads what [Position.Token] wrote. Anything else is an InvalidArgument error.
func ParseToken(token string) (Position, error) {
	bad := refuse(InvalidArgument, "bad-token", "this is no position token; pass on the one a reply or a view gave, unchanged")
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) == 0 || b[0] != positionFormat || len(b) > 400 {
		return Position{}, bad
	}
	b = b[1:]
	partition, n := binary.Uvarint(b)
	if n <= 0 || partition > 1<<31-1 {
		return Position{}, bad
	}
	offset, m := binary.Uvarint(b[n:])
	if m <= 0 || offset > 1<<63-1 || len(b) == n+m {
		return Position{}, bad
	}
	p := Position{Topic: string(b[n+m:]), Partition: int32(partition), Offset: int64(offset)}
	if p.Token() != token { // base64 and varints have several spellings; only ours counts
		return Position{}, bad
	}
	return p, nil
}
