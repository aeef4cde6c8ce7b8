package consumer

import "github.com/twmb/franz-go/pkg/kgo"

// What a record takes beside its bytes: the kgo.Record itself, and the slice and string headers of each record header.
const (
	recordOverhead = 200
	headerOverhead = 48
)

// wireSize is what counts against [Config.BatchBytes].
func wireSize(r *kgo.Record) int {
	n := len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}

// buffer holds the records of one partition that have arrived and are not done yet, in log order. It keeps the slices kgo delivers.
//
//	records = sum of len(chunks) - first
type buffer struct {
	chunks  [][]*kgo.Record
	first   int // place of the oldest record in chunks[0]
	records int
	wire    int // sum of wireSize
	memory  int // wire plus the overhead of each record
}

// add appends records; it keeps the slice.
func (b *buffer) add(records []*kgo.Record) {
	if len(records) == 0 {
		return
	}
	b.chunks = append(b.chunks, records)
	b.records += len(records)
	for _, r := range records {
		b.count(r, 1)
	}
}

func (b *buffer) count(r *kgo.Record, sign int) {
	wire := wireSize(r)
	b.wire += sign * wire
	b.memory += sign * (wire + recordOverhead + headerOverhead*len(r.Headers))
}

// drop forgets the n oldest records.
func (b *buffer) drop(n int) {
	for range n {
		chunk := b.chunks[0]
		b.count(chunk[b.first], -1)
		chunk[b.first] = nil
		b.first++
		b.records--
		if b.first == len(chunk) {
			b.chunks[0], b.chunks, b.first = nil, b.chunks[1:], 0
		}
	}
	if b.records == 0 {
		b.chunks = nil // so that the backing array does not grow with every chunk that ever passed
	}
}

// reader walks a buffer from its oldest record on; valid until the next drop.
type reader struct {
	b         *buffer
	chunk, at int
}

func (b *buffer) reader() reader { return reader{b: b, at: b.first} }

// peek gives the record in front of the reader, nil at the end.
func (r *reader) peek() *kgo.Record {
	if r.chunk == len(r.b.chunks) {
		return nil
	}
	return r.b.chunks[r.chunk][r.at]
}

func (r *reader) step() {
	if r.at++; r.at == len(r.b.chunks[r.chunk]) {
		r.chunk, r.at = r.chunk+1, 0
	}
}
