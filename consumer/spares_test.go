package consumer_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/kafka"
)

// A feed lets the memory of a delivery be used again when the next one is asked for, and not before. The texts and the users' headers of an event are
// whoever's that keeps them.
func TestAFeedUsesMemoryAgain(t *testing.T) {
	c := start(t, 1)
	feeds := c.feeds(t, 0)
	feed, err := feeds.Open(within(t), map[consumer.Source]int64{c.source(0): 0})
	if err != nil {
		t.Fatal(err)
	}
	defer feed.Close()
	payload := func(revision uint64) string { return strings.Repeat(fmt.Sprintf("%08d", revision), 8) }
	var kept []muster.Meta
	const events, rounds = 400, 8
	revision := uint64(0)
	for range rounds {
		var records []*kgo.Record
		for range events {
			revision++
			e := &muster.Event{
				Meta: muster.Meta{
					ID: fmt.Sprintf("c-%d/0", revision), Type: "test", Group: c.group.Name(), AggregateID: "a", Revision: revision, Time: time.Unix(1, 0), CausationID: "c", CorrelationID: "c",
					Headers: muster.Headers{{Key: "who", Value: []byte(payload(revision))}},
				},
				Payload: []byte(payload(revision)), Count: 1,
			}
			records = append(records, kafka.EncodeEvent(e, c.events()))
		}
		c.write(records...)
		for len(kept) < int(revision) {
			portions, err := feed.Next(within(t))
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range portions {
				for i := range p.Events {
					e := &p.Events[i]
					if string(e.Payload) != payload(e.Revision) {
						t.Fatalf("event %d has the payload %q", e.Revision, e.Payload)
					}
					kept = append(kept, e.Meta)
				}
			}
		}
	}
	for i := range kept {
		m, n := &kept[i], uint64(i+1)
		who, _ := m.Headers.Get("who")
		if m.Revision != n || m.AggregateID != "a" || m.ID != fmt.Sprintf("c-%d/0", n) || string(who) != payload(n) {
			t.Fatalf("the meta that was kept of event %d is %+v", n, *m)
		}
	}
	if held := feeds.Spared(); held == 0 {
		t.Error("no memory was kept for use again")
	}
}

// Memory is given to what it fits, and what is kept of it is bounded.
func TestSparesFitAndAreBounded(t *testing.T) {
	s := consumer.NewSpares()
	packed := s2.EncodeSnappy(nil, bytes.Repeat([]byte("x"), 100_000))
	first := s.GetDecompressBytes(packed, kgo.CodecSnappy)
	if cap(first) < 100_000 {
		t.Fatalf("room for %d bytes, of 100,000", cap(first))
	}
	s.PutDecompressBytes(first)
	if again := s.GetDecompressBytes(packed, kgo.CodecSnappy); cap(again) != cap(first) || &again[:1][0] != &first[:1][0] {
		t.Error("the same memory was not given again")
	}
	s.PutDecompressBytes(first)
	if small := s.GetDecompressBytes(s2.EncodeSnappy(nil, make([]byte, 5000)), kgo.CodecSnappy); cap(small) > 20_000 {
		t.Errorf("%d bytes for 5,000, and all of them are zeroed when they come back", cap(small))
	}
	if tiny := s.GetRecords(1); tiny != nil {
		t.Errorf("room for %d records where one comes", cap(tiny))
	}
	records := s.GetRecords(1000)
	s.PutRecords(records)
	if again := s.GetRecords(900); cap(again) != cap(records) {
		t.Errorf("room for %d records, want the %d that lay there", cap(again), cap(records))
	}
	for range 100 {
		s.PutDecompressBytes(make([]byte, 1<<20))
		s.PutRecords(make([]kgo.Record, 5000))
	}
	if held := s.Held(); held > 32<<20 {
		t.Errorf("%d bytes are kept", held)
	}
	for name, header := range map[string][]byte{"a lie": {0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, "nothing": {}, "no end": {0xff}} {
		if got := s.GetDecompressBytes(header, kgo.CodecSnappy); got != nil {
			t.Errorf("%s: room for %d bytes", name, cap(got))
		}
	}
}
