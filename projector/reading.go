package projector

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// reading takes a record apart, from the front. After the first fault everything it gives is zero, and done tells.
type reading struct {
	b   []byte
	err error
}

var errShort = errors.New("it ends too early")

func (r *reading) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

func (r *reading) version(what string, newest byte) byte {
	v := r.byte()
	if r.err == nil && (v == 0 || v > newest) {
		r.fail(fmt.Errorf("%s record of version %d, this build reads up to %d: %w", what, v, newest, errNewerFormat))
	}
	return v
}

// bytes gives the next n; they are part of the record.
func (r *reading) bytes(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.fail(errShort)
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *reading) byte() byte {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reading) u32() uint32 {
	if b := r.bytes(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reading) u64() uint64 {
	if b := r.bytes(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *reading) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail(errShort)
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count gives a number of things that take at least one byte each.
func (r *reading) count() int {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.fail(errShort)
		return 0
	}
	return int(n)
}

// blob gives the next bytes with their length in front; they are part of the record.
func (r *reading) blob() []byte { return r.bytes(r.uvarint()) }

func (r *reading) text() string { return string(r.blob()) }

// done gives the first fault, or that something is left over.
func (r *reading) done() error {
	if r.err == nil && len(r.b) > 0 {
		r.err = fmt.Errorf("%d bytes too many", len(r.b))
	}
	return r.err
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func appendBlob(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}
