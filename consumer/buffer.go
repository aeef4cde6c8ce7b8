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
	chunks  []chunk
	first   int // place of the oldest record in chunks[0]
	records int
	wire    int // sum of wireSize
	memory  int // wire plus the overhead of each record
}

// chunk is what one fetch brought.
type chunk struct {
	records []*kgo.Record
	sizes   []size // of each record, which is not looked at again for it: it has long left the processor's cache
}

// size is what a record counts.
type size struct{ wire, memory int32 }

func sizeOf(r *kgo.Record) size {
	wire := wireSize(r)
	return size{int32(wire), int32(wire + recordOverhead + headerOverhead*len(r.Headers))}
}

// add appends records; it keeps the slice.
func (b *buffer) add(records []*kgo.Record) {
	if len(records) == 0 {
		return
	}
	c := chunk{records, make([]size, len(records))}
	for i, r := range records {
		c.sizes[i] = sizeOf(r)
		b.wire += int(c.sizes[i].wire)
		b.memory += int(c.sizes[i].memory)
	}
	b.chunks = append(b.chunks, c)
	b.records += len(records)
}

// drop forgets the n oldest records.
func (b *buffer) drop(n int) {
	for range n {
		oldest := &b.chunks[0]
		b.wire -= int(oldest.sizes[b.first].wire)
		b.memory -= int(oldest.sizes[b.first].memory)
		oldest.records[b.first] = nil
		b.first++
		b.records--
		if b.first == len(oldest.records) {
			b.chunks[0], b.chunks, b.first = chunk{}, b.chunks[1:], 0
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
	return r.b.chunks[r.chunk].records[r.at]
}

func (r *reader) step() {
	if r.at++; r.at == len(r.b.chunks[r.chunk].records) {
		r.chunk, r.at = r.chunk+1, 0
	}
}
