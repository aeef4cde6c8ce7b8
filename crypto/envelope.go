package crypto

import (
	"encoding/binary"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/seed-3eec0498/muster"
)

// A sealed payload is a protobuf message, its fields in this order, each there:
//
//	message Envelope {
//	  fixed64 format = 1;        // the bytes of magic, which end with the version
//	  string content_type = 2;   // of what is sealed: of clear and parts put together
//	  uint32 parts = 3;          // how many there are
//	  bytes clear = 4;           // as authenticated, byte for byte
//	  repeated Part part = 5;
//	}
//	message Part {
//	  bytes subject_ref = 1;     // 16 bytes
//	  bytes blob = 2;            // see blob.go
//	}
//
// The first nine bytes are [muster.SealedMark] and the version. They tell it from everything else: where no content type is kept, as with a state, and
// where one is wrong.
const magic = muster.SealedMark + "\x01"

const (
	maxParts = 1000

	tagContent = 2<<3 | byte(protowire.BytesType)
	tagCount   = 3<<3 | byte(protowire.VarintType)
	tagClear   = 4<<3 | byte(protowire.BytesType)
	tagPart    = 5<<3 | byte(protowire.BytesType)
	tagRef     = 1<<3 | byte(protowire.BytesType)
	tagBlob    = 2<<3 | byte(protowire.BytesType)
)

// isSealed tells whether data is an envelope, of whatever version.
func isSealed(data []byte) bool {
	return len(data) >= len(muster.SealedMark) && string(data[:len(muster.SealedMark)]) == muster.SealedMark
}

// appendFront writes all of an envelope but the parts.
func appendFront(dst []byte, content string, parts int, bare []byte) []byte {
	dst = append(dst, magic...)
	dst = append(dst, tagContent)
	dst = binary.AppendUvarint(dst, uint64(len(content)))
	dst = append(dst, content...)
	dst = append(dst, tagCount)
	dst = binary.AppendUvarint(dst, uint64(parts))
	dst = append(dst, tagClear)
	dst = binary.AppendUvarint(dst, uint64(len(bare)))
	return append(dst, bare...)
}

// appendPart writes the beginning of a part, up to where a blob with size bytes follows.
func appendPart(dst []byte, ref *SubjectRef, size int) []byte {
	dst = append(dst, tagPart)
	dst = binary.AppendUvarint(dst, uint64(2+len(ref)+1+protowire.SizeBytes(size)))
	dst = append(dst, tagRef, byte(len(ref)))
	dst = append(dst, ref[:]...)
	dst = append(dst, tagBlob)
	return binary.AppendUvarint(dst, uint64(size))
}

// room gives how many bytes the envelope takes at most.
func (c *cut) room(content string) int {
	const field = 1 + binary.MaxVarintLen32 // tag and length
	n := len(magic) + 3*field + len(content) + len(c.clear)
	for i := range c.parts {
		n += field + refSize + field + overhead + len(c.parts[i].data)
	}
	return n
}

// envelope is a parsed one. It points into the payload.
type envelope struct {
	content string
	clear   []byte
	parts   []sealedPart
}

type sealedPart struct {
	ref  SubjectRef
	blob []byte
}

// parse reads an envelope; parts is the memory for them. Whatever is not exactly as drawn above is [ErrUnknownFormat].
func (e *envelope) parse(data []byte, parts []sealedPart) error {
	if len(data) < len(magic) || string(data[:len(magic)]) != magic {
		return ErrUnknownFormat
	}
	content, rest, is := takeBytes(data[len(magic):], tagContent)
	count, rest, counted := takeNumber(rest, tagCount)
	bare, rest, bared := takeBytes(rest, tagClear)
	if !is || !counted || !bared || count > maxParts {
		return ErrUnknownFormat
	}
	parts = parts[:0]
	for range count {
		var part []byte
		if part, rest, is = takeBytes(rest, tagPart); !is || len(part) < refSize || part[0] != tagRef || part[1] != byte(len(SubjectRef{})) {
			return ErrUnknownFormat
		}
		blob, more, is := takeBytes(part[refSize:], tagBlob)
		if !is || len(more) > 0 {
			return ErrUnknownFormat
		}
		parts = append(parts, sealedPart{SubjectRef(part[2:refSize]), blob})
	}
	if len(rest) > 0 {
		return ErrUnknownFormat
	}
	e.content, e.clear, e.parts = contentName(content), bare, parts
	return nil
}

// refSize is the length of a part's first field.
const refSize = 2 + len(SubjectRef{})

// takeNumber takes a field off a message whose fields have a fixed order. A number has its shortest form, so that no two payloads mean the same.
func takeNumber(data []byte, tag byte) (v uint64, rest []byte, ok bool) {
	if len(data) < 2 || data[0] != tag {
		return 0, nil, false
	}
	if data[1] < 0x80 {
		return uint64(data[1]), data[2:], true
	}
	if len(data) > 2 && data[2] < 0x80 { // most lengths that are longer
		return uint64(data[1]&0x7f) | uint64(data[2])<<7, data[3:], data[2] > 0
	}
	v, n := binary.Uvarint(data[1:])
	if n <= 0 || n != protowire.SizeVarint(v) {
		return 0, nil, false
	}
	return v, data[1+n:], true
}

// takeBytes is takeNumber for a length and so many bytes.
func takeBytes(data []byte, tag byte) (b, rest []byte, ok bool) {
	n, rest, ok := takeNumber(data, tag)
	if !ok || n > uint64(len(rest)) {
		return nil, nil, false
	}
	return rest[:n:n], rest[n:], true
}
