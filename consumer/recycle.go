package consumer

import (
	"encoding/binary"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// recycled is memory for what a reader fetches: buffers of decompressed batches and their records, used again when each record of a batch was
// recycled. It is the client's pool of both kinds.
type recycled struct {
	mu      sync.Mutex // guards what follows: the client's goroutines and the reader's take and give
	buffers [][]byte
	records [][]kgo.Record
}

var (
	_ kgo.PoolDecompressBytes = (*recycled)(nil)
	_ kgo.PoolRecords         = (*recycled)(nil)
)

// spareBatches is how many batches' memory is kept: a fetch of one partition holds one or a few.
const spareBatches = 4

// GetDecompressBytes implements [kgo.PoolDecompressBytes]. The client makes a larger one where it does not suffice, and gives that back. With
// snappy that would be one without room to spare, and the next batch is a few bytes longer; but snappy says how long it is.
func (p *recycled) GetDecompressBytes(src []byte, codec kgo.CompressionCodecType) []byte {
	p.mu.Lock()
	b := last(&p.buffers)
	p.mu.Unlock()
	if n, read := binary.Uvarint(src); codec == kgo.CodecSnappy && read > 0 && n > uint64(cap(b)) && n <= largestBuffer {
		return make([]byte, 0, roomy(int(n)))
	}
	return b
}

const (
	largestBuffer = 8 << 20 // bytes that are made on the word of a batch; the client checks a longer one first
	fewRecords    = 16      // batches below that, such as markers, are not worth the memory of a large one
)

// roomy is an eighth more.
func roomy(n int) int { return n + n/8 }

// PutDecompressBytes implements [kgo.PoolDecompressBytes].
func (p *recycled) PutDecompressBytes(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.buffers) < spareBatches {
		p.buffers = append(p.buffers, b)
	}
}

// GetRecords implements [kgo.PoolRecords].
func (p *recycled) GetRecords(n int) []kgo.Record {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n < fewRecords {
		return make([]kgo.Record, 0, n)
	}
	if one := last(&p.records); cap(one) >= n {
		return one[:0]
	}
	return make([]kgo.Record, 0, roomy(n))
}

// PutRecords implements [kgo.PoolRecords].
func (p *recycled) PutRecords(r []kgo.Record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.records) < spareBatches && cap(r) >= fewRecords {
		p.records = append(p.records, r)
	}
}

// last takes the last one off, nil where there is none.
func last[T any](all *[][]T) []T {
	n := len(*all)
	if n == 0 {
		return nil
	}
	one := (*all)[n-1]
	(*all)[n-1], *all = nil, (*all)[:n-1]
	return one
}
