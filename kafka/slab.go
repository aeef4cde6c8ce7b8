package kafka

import "github.com/twmb/franz-go/pkg/kgo"

// Slab is memory for the records of one batch: records, headers and values lie in a few large pieces instead of four small ones each, which
// makes garbage collection cheap. All of a piece is freed together, so a slab is for records that are written and forgotten together. It is
// used by one goroutine. The nil slab gives every record memory of its own.
type Slab struct {
	left    int // records still expected; pieces are made for so many, at most slabRecords
	heads   pieces[kgo.RecordHeader]
	mem     pieces[byte]
	records pieces[kgo.Record]
}

const (
	slabRecords = 256 // records a piece is made for: some 200 KiB in all
	slabBytes   = 320 // bytes of keys, values and header values per record; more only means more pieces
)

// NewSlab makes a slab for about so many records; one for a few is as small as these.
func NewSlab(records int) *Slab { return &Slab{left: records} }

// Expect says that about so many records come next.
func (s *Slab) Expect(records int) { s.left = records }

// Reset makes the memory of a slab free for another batch. Nobody may hold any record that it gave before, nor a part of one. Each Reset gives
// back a piece of what the batch before did not need, so that a slab does not stay as large as its largest batch.
func (s *Slab) Reset() {
	s.heads.reset()
	s.mem.reset()
	s.records.reset()
}

func (s *Slab) piece() int { return min(max(1, s.left), slabRecords) }

// writer gives a writer whose headers and values come from the slab.
func (s *Slab) writer(heads, bytes int) writer {
	if s == nil {
		return newWriter(heads, bytes)
	}
	return writer{heads: s.heads.room(heads, heads*s.piece()), mem: s.room(bytes)}
}

// record takes over what the writer wrote. Where an estimate was too low, the writer has taken memory of its own, and the slab stays as it was.
func (s *Slab) record(w *writer) *kgo.Record {
	if s == nil {
		return &kgo.Record{Headers: w.heads}
	}
	s.heads.wrote(len(w.heads))
	s.wrote(w.mem)
	one := s.records.room(1, s.piece())[:1]
	s.records.wrote(1)
	s.left--
	one[0] = kgo.Record{Headers: w.heads[:len(w.heads):len(w.heads)]}
	return &one[0]
}

// room gives an empty slice to append about so many bytes to; wrote then says what came of it.
func (s *Slab) room(bytes int) []byte {
	if s == nil {
		return make([]byte, 0, bytes)
	}
	return s.mem.room(bytes, slabBytes*s.piece())
}

func (s *Slab) wrote(b []byte) {
	if s != nil {
		s.mem.wrote(len(b))
	}
}

// pieces is slices of one kind: the one in use, those that are used up, and those that a batch before has left.
type pieces[T any] struct {
	now        []T
	full, free [][]T
}

// room gives an empty slice for n further ones; where a new piece is needed it is of the given size.
func (p *pieces[T]) room(n, size int) []T {
	if cap(p.now)-len(p.now) < n {
		p.next(max(n, size))
	}
	return p.now[len(p.now):]
}

// next takes the next piece: one that is free and large enough, or a new one.
func (p *pieces[T]) next(size int) {
	if cap(p.now) > 0 {
		p.full = append(p.full, p.now)
	}
	for n := len(p.free); n > 0; n = len(p.free) {
		p.now, p.free[n-1], p.free = p.free[n-1], nil, p.free[:n-1]
		if cap(p.now) >= size {
			return
		}
	}
	p.now = make([]T, 0, size)
}

// wrote notes that n were written to what room gave; more than it has are elsewhere.
func (p *pieces[T]) wrote(n int) {
	if n <= cap(p.now)-len(p.now) {
		p.now = p.now[:len(p.now)+n]
	}
}

// reset makes all pieces free, but for one of those that were not used. They are taken again in the same order.
func (p *pieces[T]) reset() {
	if n := len(p.free); n > 0 {
		p.free[n-1], p.free = nil, p.free[:n-1]
	}
	if cap(p.now) > 0 {
		p.full = append(p.full, p.now)
	}
	for n := len(p.full) - 1; n >= 0; n-- {
		clear(p.full[n]) // they hold on to payloads
		p.free = append(p.free, p.full[n][:0])
	}
	clear(p.full)
	p.now, p.full = nil, p.full[:0]
}
