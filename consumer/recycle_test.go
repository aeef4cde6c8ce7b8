package consumer_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
)

// With Recycle every event is whole while fn has it, over many batches and pieces, and its memory serves later ones. Where fn refuses a piece the
// reading ends before it.
func TestEventsInRecycledMemory(t *testing.T) {
	c := start(t, 1)
	client := c.transactor("t")
	const transactions, each = 4, 1500
	for n := range transactions {
		records := make([]*kgo.Record, each)
		for i := range records {
			records[i] = c.event(uint64(n*each + i + 1))
		}
		c.begin(client, records...)
		c.finish(client, kgo.TryCommit)
	}
	config := c.journal()
	config.Recycle = true
	read, held := uint64(0), []byte(nil)
	_, err := consumer.ReadJournal(within(t), config, 0, 0, c.end(), func(events []muster.Event) error {
		for i := range events {
			e := &events[i]
			if read++; e.Revision != read || string(e.Payload) != fmt.Sprintf("event %d", read) || e.ID != fmt.Sprintf("c%d/0", read) {
				return fmt.Errorf("event %d is revision %d, %s, payload %q", read, e.Revision, e.ID, e.Payload)
			}
			if held == nil {
				held = e.Payload
			}
		}
		return nil
	}, nil)
	if err != nil || read != transactions*each {
		t.Errorf("%d events read, %v; want %d", read, err, transactions*each)
	}
	if string(held) == "event 1" {
		t.Error("the first event's memory is as it was; nothing was recycled")
	}

	refused, pieces := errors.New("refused"), 0
	next, err := consumer.ReadJournal(within(t), config, 0, 0, c.end(), func(events []muster.Event) error {
		if pieces++; pieces == 2 {
			return fmt.Errorf("%w at %d", refused, events[0].Offset)
		}
		read = events[len(events)-1].Revision
		return nil
	}, nil)
	if at := int64(read) + int64(read-1)/each; !errors.Is(err, refused) || next != at && next != at+1 { // markers lie between
		t.Errorf("the second piece was refused: next %d, %v; want %d", next, err, at)
	}
}

// Batches that grow by a few bytes, with markers between them, share memory; and a claim of a length that no batch has is not believed.
func TestRecycledMemoryFitsTheNextBatch(t *testing.T) {
	p := &consumer.Recycled{}
	batch := func(n int) (bytes, records *byte) {
		src := binary.AppendUvarint(nil, uint64(10*n))
		b, r := p.GetDecompressBytes(src, kgo.CodecSnappy), p.GetRecords(n)
		if cap(b) < 10*n || cap(r) < n {
			t.Fatalf("%d bytes and %d records for a batch of %d and %d", cap(b), cap(r), 10*n, n)
		}
		marker := p.GetRecords(1)
		p.PutRecords(marker[:1])
		b, r = b[:1], r[:1]
		r[0].Key = b
		p.PutDecompressBytes(b)
		p.PutRecords(r)
		return &b[0], &r[0].Key[0]
	}
	first, _ := batch(1000)
	for n := 1001; n < 1010; n++ {
		if next, _ := batch(n); next != first {
			t.Fatalf("a batch of %d records after one of %d got new memory", n, n-1)
		}
	}
	if buffers, records := p.Kept(); buffers != 1 || records != 1 {
		t.Errorf("%d and %d pieces are kept; want one of each", buffers, records)
	}
	if b := p.GetDecompressBytes(binary.AppendUvarint(nil, 1<<40), kgo.CodecSnappy); cap(b) > 64<<20 {
		t.Errorf("%d bytes were made on the word of a batch", cap(b))
	}
}
