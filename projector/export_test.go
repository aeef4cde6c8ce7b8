package projector

import (
	"context"

	"github.com/seed-3eec0498/muster"
)

// What tests of the bytes need to see.

var (
	DecodeStoreFormat = func(b []byte) error { _, err := decodeStoreFormat(b); return err }
	DecodeNumber      = func(b []byte) error { _, err := decodeNumber(b); return err }
	DecodeCounter     = decodeCounter
	DecodeLetter      = decodeLetter
	EncodeLetter      = appendLetter
	DecodeIndexes     = decodeIndexes
	EncodeIndexes     = appendIndexes
)

func FormatKey() []byte                 { return ownRange.key(kindMeta, "") }
func EncodeStoreFormat(f uint16) []byte { return appendStoreFormat(nil, storeFormat(f)) }

func RowKey(number uint32, key string) []byte { return keyRange(number).key(kindRow, key) }

// RewriteRow decodes and encodes.
func RewriteRow(b []byte) ([]byte, error) {
	s, err := decodeStoredRow(b)
	return appendStoredRow(nil, s), err
}

// EncodeRow encodes one with entries of index 0.
func EncodeRow(payload, content string, values ...string) []byte {
	s := storedRow{payload: []byte(payload), content: content}
	for _, value := range values {
		s.entries = append(s.entries, entry{0, value})
	}
	return appendStoredRow(nil, s)
}

// RewriteMeta decodes and encodes.
func RewriteMeta(b []byte) ([]byte, error) {
	m, err := decodeShardMeta(b)
	return appendShardMeta(nil, m), err
}

// RewriteCheckpoint decodes and encodes.
func RewriteCheckpoint(b []byte) ([]byte, error) {
	c, err := decodeCheckpoint(b)
	return appendCheckpoint(nil, &c), err
}

// RewriteEntry takes an entry's key apart and puts it together.
func RewriteEntry(b []byte) ([]byte, error) {
	e, key, err := entryOf(b)
	if err != nil {
		return nil, err
	}
	return keyRange(uint32(b[0])<<24|uint32(b[1])<<16|uint32(b[2])<<8|uint32(b[3])).entry(nil, e, key), nil
}

func EntryKey(number uint32, index uint8, value, key string) []byte {
	return keyRange(number).entry(nil, entry{index, value}, key)
}

// RewriteShard and RewriteSource take keys apart and put them together.
func RewriteShard(b []byte) ([]byte, error) {
	id, err := shardOf(b)
	return id.key(), err
}

func RewriteSource(b []byte) ([]byte, error) {
	source, err := sourceOf(b)
	return ownRange.checkpoint(source), err
}

// Handle runs the function of a definition for an event, as the runner does.
func Handle(ctx context.Context, d *Definition, tx any, ev *muster.Event) error {
	h, err := d.handler(ev)
	if err != nil {
		return err
	}
	return h(ctx, tx, muster.PlainCodec{}, ev)
}

// EraseRows does what an erasure does to the rows of a batch.
func EraseRows(tx any, codec muster.Codec, e SubjectErased, what ErasedRow) error {
	return tx.(eraser).eraseSubject(codec, e, what)
}

// Hand is what the watchdog looks at.
type Hand struct{ h hand }

// Run runs fn as the function for an event.
func (h *Hand) Run(ctx context.Context, ev *muster.Event, fn func()) {
	h.h.context(ctx)
	h.h.begin(ev)
	fn()
	h.h.end()
}

// Seen tells what is in hand.
func (h *Hand) Seen() (typ string, at muster.Position, runs bool) { return h.h.seen(0) }

// InOrder gives the keys of a batch in the order in which they are written.
func InOrder(keys []string) []string {
	r := &Rows[int]{byKey: map[string]*kept[int]{}}
	for _, key := range keys {
		r.byKey[key] = &kept[int]{key: key, dirty: true}
	}
	var all []string
	for _, o := range r.inOrder() {
		all = append(all, o.row.key)
	}
	return all
}

// Throttle holds back the feeds of a journal while busy says so, see [BuildRate].
func Throttle(j Journal, rate int, busy func() bool) Journal { return throttle(j, rate, busy) }
