package crypto

import (
	"encoding/binary"
	"errors"
	"time"
)

// A row, as memory, files and databases keep it. Numbers are unsigned LEB128 varints but for the first one; times are microseconds since 1970, plus one,
// and 0 for none; a list is its length and then its items.
//
//	0        1            17
//	+--------+------------+------+-------+---------- - - +------------- - -
//	| format | subject    | life | flags | receipts ...  | entries ...
//
//	receipt: life, time, changed, erasure (length, bytes), keys (16 bytes each), generations
//	entry:   id 16 bytes, version, life, state, flags, generation, low, high, born, created, changed, wrapped (length, bytes)
//
// Bit 0 of the flags says that what was written last is not what holds (topic store only).
const rowFormat = 1 // 0.4

var errRow = errors.New("crypto: a row of the key store is not what this build writes; was it made by a newer build, or damaged?")

func (r *keyRow) encode() []byte {
	b := make([]byte, 0, 32+128*len(r.entries)+64*len(r.ended))
	b = append(b, rowFormat)
	b = append(b, r.subject[:]...)
	b = binary.AppendUvarint(b, uint64(r.life))
	b = append(b, flag(r.stale))
	b = binary.AppendUvarint(b, uint64(len(r.ended)))
	for i := range r.ended {
		b = appendReceipt(b, &r.ended[i].Receipt, r.ended[i].changed)
	}
	b = binary.AppendUvarint(b, uint64(len(r.entries)))
	for i := range r.entries {
		b = r.entries[i].append(b)
	}
	return b
}

func appendReceipt(b []byte, t *Receipt, changed int64) []byte {
	b = binary.AppendUvarint(b, uint64(t.Life))
	b = appendTime(b, t.Time)
	b = binary.AppendUvarint(b, uint64(changed))
	b = appendBytes(b, []byte(t.Erasure))
	b = binary.AppendUvarint(b, uint64(len(t.Keys)))
	for _, id := range t.Keys {
		b = append(b, id[:]...)
	}
	b = binary.AppendUvarint(b, uint64(len(t.Generations)))
	for _, g := range t.Generations {
		b = binary.AppendUvarint(b, uint64(g))
	}
	return b
}

func (h *heldKey) append(b []byte) []byte {
	b = append(b, h.ID[:]...)
	b = binary.AppendUvarint(b, uint64(h.Version))
	b = binary.AppendUvarint(b, uint64(h.Life))
	b = append(b, byte(h.State), flag(h.stale))
	for _, n := range []uint32{h.Generation, h.low, h.high} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	b = binary.AppendUvarint(b, uint64(h.Born))
	b = appendTime(b, h.Created)
	b = binary.AppendUvarint(b, uint64(h.changed))
	return appendBytes(b, h.Wrapped)
}

func decodeRow(b []byte) (*keyRow, error) {
	d := &rowReader{rest: b}
	if d.byte() != rowFormat {
		return nil, errRow
	}
	r := &keyRow{}
	copy(r.subject[:], d.take(len(r.subject)))
	r.life, r.stale = d.uint32(), d.flag()
	for range d.count(5) {
		t, changed := d.receipt(r.subject)
		r.ended = append(r.ended, endedLife{t, changed})
	}
	for range d.count(28) {
		r.entries = append(r.entries, d.entry(r.subject))
	}
	if d.bad || len(d.rest) > 0 {
		return nil, errRow
	}
	return r, nil
}

// rowReader reads from the front; once something does not fit, bad is set and all that follows is zero.
type rowReader struct {
	rest []byte
	bad  bool
}

func (d *rowReader) take(n int) []byte {
	if d.bad || n < 0 || n > len(d.rest) {
		d.bad = true
		return nil
	}
	taken := d.rest[:n]
	d.rest = d.rest[n:]
	return taken
}

func (d *rowReader) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *rowReader) flag() bool {
	f := d.byte()
	d.bad = d.bad || f > 1
	return f == 1
}

func (d *rowReader) uvarint() uint64 {
	n, size := binary.Uvarint(d.rest)
	if size <= 0 {
		d.bad = true
	}
	d.take(max(size, 0))
	if d.bad {
		return 0
	}
	return n
}

func (d *rowReader) uint32() uint32 {
	n := d.uvarint()
	d.bad = d.bad || n > 1<<32-1
	return uint32(n)
}

func (d *rowReader) int64() int64 {
	n := d.uvarint()
	d.bad = d.bad || n > 1<<63-1
	return int64(n)
}

// count reads the length of a list whose items have so many bytes at least, so that no more is made room for than was read.
func (d *rowReader) count(size int) int {
	n := d.uvarint()
	if n > uint64(len(d.rest)/size) {
		d.bad = true
		return 0
	}
	return int(n)
}

func (d *rowReader) time() time.Time {
	n := d.int64()
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n - 1).UTC()
}

func (d *rowReader) bytes() []byte {
	taken := d.take(d.count(1))
	if len(taken) == 0 {
		return nil
	}
	return append([]byte(nil), taken...)
}

func (d *rowReader) receipt(subject SubjectRef) (Receipt, int64) {
	t := Receipt{Subject: subject, Life: d.uint32(), Time: d.time()}
	changed := d.int64()
	t.Erasure = string(d.bytes())
	for range d.count(16) {
		t.Keys = append(t.Keys, KeyID(d.key()))
	}
	for range d.count(1) {
		t.Generations = append(t.Generations, d.uint32())
	}
	return t, changed
}

func (d *rowReader) key() (id [16]byte) {
	copy(id[:], d.take(16))
	return id
}

func (d *rowReader) entry(subject SubjectRef) heldKey {
	h := heldKey{Entry: Entry{Subject: subject, ID: d.key(), Version: d.uint32(), Life: d.uint32(), State: EntryState(d.byte())}}
	h.stale = d.flag()
	h.Generation, h.low, h.high = d.uint32(), d.uint32(), d.uint32()
	h.Born, h.Created, h.changed = d.int64(), d.time(), d.int64()
	h.Wrapped = d.bytes()
	d.bad = d.bad || h.State < EntryActive || h.State > EntryDestroyed || (h.State == EntryDestroyed) != (len(h.Wrapped) == 0) || h.low > h.high
	return h
}

func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() || t.UnixMicro() < 0 {
		return append(b, 0)
	}
	return binary.AppendUvarint(b, uint64(t.UnixMicro())+1)
}

func appendBytes(b, bytes []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(bytes))), bytes...)
}

func flag(set bool) byte {
	if set {
		return 1
	}
	return 0
}
