package kafka_test

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

func TestProgressIsReadBack(t *testing.T) {
	for _, c := range []struct {
		progress muster.Progress
		offset   int64
		metadata string
	}{
		{muster.Progress{Partition: 3, Next: 17}, 17, ""},
		{muster.Progress{Partition: 3, Next: 1, Waiting: []int64{0}}, 0, "muster1:0:1:"},
		{muster.Progress{Partition: 3, Next: 5000, Waiting: []int64{10, 11, 20, 4000}}, 10, "muster1:10:5000:AAiLHw"},
	} {
		offset, metadata := kafka.EncodeProgress(c.progress)
		text := ""
		if metadata != nil {
			text = *metadata
		}
		if offset != c.offset || text != c.metadata || (metadata == nil) != (c.metadata == "") {
			t.Errorf("%+v: offset %d, metadata %q; want %d, %q", c.progress, offset, text, c.offset, c.metadata)
		}
		if back, err := kafka.DecodeProgress(3, offset, text); err != nil || !reflect.DeepEqual(back, c.progress) {
			t.Errorf("%+v came back as %+v, %v", c.progress, back, err)
		}
	}
}

// The most commands that may wait, as far apart as they can be expected to be, fit into what a broker takes.
func TestProgressFitsTheBroker(t *testing.T) {
	p := muster.Progress{Next: 1 << 40}
	for at := int64(1) << 60; len(p.Waiting) < muster.MaxWaiting; at += 1 << 35 {
		p.Waiting, p.Next = append(p.Waiting, at), at+1
	}
	offset, metadata := kafka.EncodeProgress(p)
	if len(*metadata) > 4096 {
		t.Fatalf("%d bytes", len(*metadata))
	}
	if back, err := kafka.DecodeProgress(0, offset, *metadata); err != nil || !reflect.DeepEqual(back, p) {
		t.Fatalf("it does not come back: %v", err)
	}
}

// What was not written for the committed offset changes nothing: the offset holds as it is.
func TestForeignProgressIsPassedOver(t *testing.T) {
	for _, metadata := range []string{
		"x", "muster1:", "muster1:9:20:", "muster1:10:20", "muster1:10:20:AA:", "muster1:010:20:", "muster1:+10:20:", "muster1:10:-1:", "muster2:10:20:",
		"muster1:10:10:", "muster1:10:12:AQ", "muster1:10:20:gAA", "muster1:10:20:gA", "muster1:10:20:A", "muster1:10:20:=", "muster1:10:99999999999999999999:",
	} {
		p, err := kafka.DecodeProgress(1, 10, metadata)
		if !errors.Is(err, kafka.ErrForeignProgress) || !reflect.DeepEqual(p, muster.Progress{Partition: 1, Next: 10}) {
			t.Errorf("%q: %+v, %v", metadata, p, err)
		}
	}
	if p, err := kafka.DecodeProgress(1, 10, ""); err != nil || p.Next != 10 {
		t.Errorf("no metadata: %+v, %v", p, err)
	}
}

func FuzzDecodeProgress(f *testing.F) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 8 {
		p := muster.Progress{Waiting: []int64{random.Int64N(1 << 40)}}
		for range random.IntN(muster.MaxWaiting) {
			p.Waiting = append(p.Waiting, p.Waiting[len(p.Waiting)-1]+1+random.Int64N(1000))
		}
		p.Next = p.Waiting[len(p.Waiting)-1] + 1 + random.Int64N(10)
		offset, metadata := kafka.EncodeProgress(p)
		f.Add(offset, *metadata)
	}
	f.Add(int64(10), "muster1:10:5000:AAiLHw")
	f.Add(int64(0), "")
	f.Fuzz(func(t *testing.T, offset int64, metadata string) {
		p, err := kafka.DecodeProgress(0, offset, metadata)
		if err != nil {
			if len(p.Waiting) != 0 || p.Next != offset {
				t.Fatalf("refused, and yet %+v", p)
			}
			return
		}
		for i, at := range p.Waiting {
			if at >= p.Next || at < offset || i > 0 && at <= p.Waiting[i-1] || len(p.Waiting) > muster.MaxWaiting {
				t.Fatalf("accepted %+v", p)
			}
		}
		if metadata == "" || offset < 0 {
			return
		}
		again, text := kafka.EncodeProgress(p)
		if again != offset || text == nil || *text != metadata {
			t.Fatalf("%q at %d is written again as %v at %d", metadata, offset, text, again)
		}
	})
}
