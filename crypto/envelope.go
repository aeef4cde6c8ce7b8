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
	dst = protowire.AppendString(dst, content)
	dst = append(dst, tagCount)
	dst = binary.AppendUvarint(dst, uint64(parts))
	dst = append(dst, tagClear)
	return protowire.AppendBytes(dst, bare)
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
	r := reader{rest: data}
	if !r.prefix(magic) {
		return ErrUnknownFormat
	}
	content := r.bytes(tagContent)
	count := r.number(tagCount)
	bare := r.bytes(tagClear)
	if r.failed || count > maxParts {
		return ErrUnknownFormat
	}
	e.content, e.clear, e.parts = contentName(content), bare, parts[:0]
	for range count {
		inner := reader{rest: r.bytes(tagPart), failed: r.failed}
		ref, blob := inner.bytes(tagRef), inner.bytes(tagBlob)
		if inner.failed || len(inner.rest) > 0 || len(ref) != len(SubjectRef{}) {
			return ErrUnknownFormat
		}
		e.parts = append(e.parts, sealedPart{SubjectRef(ref), blob})
	}
	if r.failed || len(r.rest) > 0 {
		return ErrUnknownFormat
	}
	return nil
}

// reader takes fields in a fixed order off a message. Numbers have their shortest form, so that no two payloads mean the same.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) prefix(want string) bool {
	if len(r.rest) < len(want) || string(r.rest[:len(want)]) != want {
		r.failed = true
		return false
	}
	r.rest = r.rest[len(want):]
	return true
}

func (r *reader) number(tag byte) uint64 {
	if r.failed || len(r.rest) == 0 || r.rest[0] != tag {
		r.failed = true
		return 0
	}
	v, n := binary.Uvarint(r.rest[1:])
	if n <= 0 || n != protowire.SizeVarint(v) {
		r.failed = true
		return 0
	}
	r.rest = r.rest[1+n:]
	return v
}

func (r *reader) bytes(tag byte) []byte {
	n := r.number(tag)
	if r.failed || n > uint64(len(r.rest)) {
		r.failed = true
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}
