package consumer

import (
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

// GetDecompressBytes implements [kgo.PoolDecompressBytes]. The client makes a larger one where it does not suffice, and gives that back.
func (p *recycled) GetDecompressBytes([]byte, kgo.CompressionCodecType) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return last(&p.buffers)
}

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
	if one := last(&p.records); cap(one) >= n {
		return one[:0]
	}
	return make([]kgo.Record, 0, n)
}

// PutRecords implements [kgo.PoolRecords].
func (p *recycled) PutRecords(r []kgo.Record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.records) < spareBatches {
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
