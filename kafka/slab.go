package kafka

import "github.com/twmb/franz-go/pkg/kgo"

// Slab is memory for the records of one batch: records, headers and values lie in a few large pieces instead of four small ones each, which
// makes garbage collection cheap. All of a piece is freed together, so a slab is for records that are written and forgotten together. It is
// used by one goroutine. The nil slab gives every record memory of its own.
type Slab struct {
	left    int // records still expected; pieces are made for so many, at most slabRecords
	heads   []kgo.RecordHeader
	mem     []byte
	records []kgo.Record
}

const (
	slabRecords = 256 // records a piece is made for: some 200 KiB in all
	slabBytes   = 320 // bytes of keys, values and header values per record; more only means more pieces
)

// NewSlab makes a slab for about so many records; one for a few is as small as these.
func NewSlab(records int) *Slab { return &Slab{left: records} }

func (s *Slab) piece() int { return min(max(1, s.left), slabRecords) }

// writer gives a writer whose headers and values come from the slab.
func (s *Slab) writer(heads, bytes int) writer {
	if s == nil {
		return newWriter(heads, bytes)
	}
	if cap(s.heads)-len(s.heads) < heads {
		s.heads = make([]kgo.RecordHeader, 0, heads*s.piece())
	}
	return writer{heads: s.heads[len(s.heads):], mem: s.room(bytes)}
}

// record takes over what the writer wrote. Where an estimate was too low, the writer has taken memory of its own, and the slab stays as it was.
func (s *Slab) record(w *writer) *kgo.Record {
	if s == nil {
		return &kgo.Record{Headers: w.heads}
	}
	if n := len(w.heads); n <= cap(s.heads)-len(s.heads) {
		s.heads = s.heads[:len(s.heads)+n]
	}
	s.wrote(w.mem)
	if len(s.records) == cap(s.records) {
		s.records = make([]kgo.Record, 0, s.piece())
	}
	s.left--
	s.records = append(s.records, kgo.Record{Headers: w.heads[:len(w.heads):len(w.heads)]})
	return &s.records[len(s.records)-1]
}

// room gives an empty slice to append about so many bytes to; wrote then says what came of it.
func (s *Slab) room(bytes int) []byte {
	if s == nil {
		return make([]byte, 0, bytes)
	}
	if cap(s.mem)-len(s.mem) < bytes {
		s.mem = make([]byte, 0, max(bytes, slabBytes*s.piece()))
	}
	return s.mem[len(s.mem):]
}

func (s *Slab) wrote(b []byte) {
	if s != nil && len(b) <= cap(s.mem)-len(s.mem) {
		s.mem = s.mem[:len(s.mem)+len(b)]
	}
}
