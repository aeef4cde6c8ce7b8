package consumer

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sync"
	"unsafe"

	"github.com/twmb/franz-go/pkg/kgo"
)

// spares is memory of records that are done with, kept for those of later fetches: what batches are decompressed into, and the records themselves.
// It is most of what reading a journal would otherwise leave to the garbage collector. The client takes from it, and gives back when the last record
// of a batch is recycled. What is never recycled is the collector's.
//
//	held = what all pieces take <= spareBytes
type spares struct {
	mu      sync.Mutex // guards what follows
	held    int
	batches [][]byte
	records [][]kgo.Record
}

var (
	_ kgo.PoolDecompressBytes = (*spares)(nil)
	_ kgo.PoolRecords         = (*spares)(nil)
)

const (
	spareBytes = 32 << 20 // kept at most
	spareLeast = 4 << 10  // smaller pieces are not worth it
	recordSize = int(unsafe.Sizeof(kgo.Record{}))

	// spareRatio is by how much a piece may be too large: it is zeroed as a whole when it comes back.
	spareRatio = 2
)

// GetDecompressBytes implements [kgo.PoolDecompressBytes].
func (s *spares) GetDecompressBytes(compressed []byte, codec kgo.CompressionCodecType) []byte {
	n := inflated(compressed, codec)
	if n < spareLeast || n > spareBytes {
		return nil
	}
	if found := taken(s, &s.batches, n, 1); found != nil {
		return found
	}
	return make([]byte, 0, n+n/8) // a little more, so that it fits the next one, too
}

// PutDecompressBytes implements [kgo.PoolDecompressBytes].
func (s *spares) PutDecompressBytes(b []byte) { put(s, &s.batches, b, 1) }

// GetRecords implements [kgo.PoolRecords].
func (s *spares) GetRecords(n int) []kgo.Record {
	if n < spareLeast/recordSize || n > spareBytes/recordSize {
		return nil
	}
	if found := taken(s, &s.records, n, recordSize); found != nil {
		return found
	}
	return make([]kgo.Record, 0, n+n/8)
}

// PutRecords implements [kgo.PoolRecords].
func (s *spares) PutRecords(r []kgo.Record) { put(s, &s.records, r, recordSize) }

// taken takes the piece with the least room for n, nil where all have too little or far too much.
func taken[E any](s *spares, from *[][]E, n, size int) []E {
	s.mu.Lock()
	defer s.mu.Unlock()
	best := -1
	for i, have := range *from {
		if room := cap(have); room >= n && room <= spareRatio*n && (best < 0 || room < cap((*from)[best])) {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	found := (*from)[best]
	last := len(*from) - 1
	(*from)[best], (*from)[last] = (*from)[last], nil
	*from = (*from)[:last]
	s.held -= cap(found) * size
	return found
}

// put keeps a piece. Where there is no room any more, those that have waited for longest make some: fetches of another size have come since.
func put[E any](s *spares, to *[][]E, piece []E, size int) {
	bytes := cap(piece) * size
	if bytes < spareLeast || bytes > spareBytes {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.held+bytes > spareBytes && len(*to) > 0 {
		s.held -= cap((*to)[0]) * size
		*to = slices.Delete(*to, 0, 1)
	}
	if s.held+bytes <= spareBytes {
		s.held += bytes
		*to = append(*to, piece)
	}
}

// xerial begins Snappy data in the framing of Java's library.
var xerial = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

// inflated tells how many bytes a batch has when it is decompressed: Snappy says it, for the others it is a guess.
func inflated(compressed []byte, codec kgo.CompressionCodecType) int {
	if codec == kgo.CodecSnappy && !bytes.HasPrefix(compressed, xerial) {
		if n, used := binary.Uvarint(compressed); used > 0 && n <= spareBytes {
			return int(n)
		}
		return 0
	}
	return 4 * len(compressed)
}
