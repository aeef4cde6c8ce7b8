package kafka_test

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// Records from a slab are those without one, however wrong the slab's guess of their number and sizes was, and later ones leave earlier
// ones as they were.
func TestSlab(t *testing.T) {
	event := func(i int) *muster.Event {
		e := &muster.Event{Payload: bytes.Repeat([]byte{byte(i)}, i%40), Index: i % 3, Count: 3, Answer: []byte{1, byte(i)}}
		e.ID, e.Type, e.Group, e.AggregateID = fmt.Sprint("c", i, "/0"), "bank.Credited", "accounts", fmt.Sprint("acc-", i)
		e.Revision, e.Partition = uint64(i+1), int32(i%12)
		for k := range i % 5 {
			e.Headers = append(e.Headers, muster.Header{Key: fmt.Sprint("h", k), Value: bytes.Repeat([]byte{'v'}, 100*k)})
		}
		return e
	}
	reply := func(i int) *muster.Reply {
		return &muster.Reply{
			To: muster.ReplyTo{Topic: "replies.bank", Partition: int32(i % 3)}, CommandID: fmt.Sprint("c", i),
			Outcome: &muster.Outcome{Code: muster.OK, Payload: bytes.Repeat([]byte{byte(i)}, i%500)},
		}
	}
	used := kafka.NewSlab(1) // by the batches before
	for n, expected := range []int{0, 1, 3, 1000, 0, 1, 3, 1000, 300} {
		slab := used
		if n < 4 {
			slab = kafka.NewSlab(expected)
		} else {
			slab.Expect(expected)
		}
		var got, want []*kgo.Record
		for i := range 700 {
			alone, err := kafka.EncodeReply(reply(i), "")
			if err != nil {
				t.Fatal(err)
			}
			slabbed, err := slab.Reply(reply(i), "")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, slab.Event(event(i), "accounts.events"), slabbed)
			want = append(want, kafka.EncodeEvent(event(i), "accounts.events"), alone)
		}
		for i := range got {
			if !reflect.DeepEqual(got[i], want[i]) {
				t.Fatalf("slab for %d records, record %d:\n got %+v\nwant %+v", expected, i, got[i], want[i])
			}
		}
		used.Reset()
	}
}

// A slab that is used again makes no memory for a batch like the one before, and holds on to nothing of it.
func TestSlabAgain(t *testing.T) {
	e := &muster.Event{Payload: []byte("payload"), Count: 1, Answer: []byte("answer")}
	e.ID, e.Type, e.Group, e.AggregateID, e.Revision = "c/0", "bank.Credited", "accounts", "acc", 1
	slab := kafka.NewSlab(0)
	var last *kgo.Record
	batch := func(n int) {
		slab.Expect(n)
		for range n {
			last = slab.Event(e, "accounts.events")
		}
		slab.Reset()
	}
	batch(1000)
	if last.Value != nil || last.Headers != nil {
		t.Errorf("after Reset the slab holds %+v", last)
	}
	if n := testing.AllocsPerRun(20, func() { batch(1000) }); n != 0 {
		t.Errorf("%v allocations for a batch like the one before, want 0", n)
	}
	smaller := func() {
		for range 8 { // a large one has four pieces of each kind
			batch(1)
		}
		batch(1000)
	}
	if n := testing.AllocsPerRun(1, smaller); n < 4 {
		t.Errorf("%v allocations for a large batch after small ones; the slab has stayed as large as its largest batch", n)
	}
}
