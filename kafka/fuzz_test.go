package kafka_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// flatten writes the headers of a record as one input for the fuzzer: key and value each with its length in front, as a varint; a value's
// length is one more than it is, 0 stands for null.
func flatten(all []kgo.RecordHeader) []byte {
	var b []byte
	for _, h := range all {
		b = append(binary.AppendUvarint(b, uint64(len(h.Key))), h.Key...)
		if h.Value == nil {
			b = append(b, 0)
			continue
		}
		b = append(binary.AppendUvarint(b, uint64(len(h.Value))+1), h.Value...)
	}
	return b
}

// unflatten reads any bytes, as far as they go.
func unflatten(b []byte) []kgo.RecordHeader {
	var all []kgo.RecordHeader
	take := func(n uint64) []byte {
		n = min(n, uint64(len(b)))
		piece := b[:n:n]
		b = b[n:]
		return piece
	}
	for len(b) > 0 {
		n, used := binary.Uvarint(b)
		if used <= 0 {
			return all
		}
		b = b[used:]
		h := kgo.RecordHeader{Key: string(take(n))}
		if n, used = binary.Uvarint(b); used > 0 {
			b = b[used:]
			if n > 0 {
				h.Value = take(n - 1)
			}
		}
		all = append(all, h)
	}
	return all
}

func seed(f *testing.F, records ...*kgo.Record) {
	for _, r := range records {
		f.Add(r.Key, r.Value, r.Value == nil, flatten(r.Headers), r.Partition)
	}
}

func input(topic string, key, value []byte, null bool, flat []byte, partition int32) *kgo.Record {
	r := &kgo.Record{Topic: topic, Key: key, Value: value, Headers: unflatten(flat), Partition: partition & (1<<31 - 1), Offset: 17, Timestamp: at}
	if null {
		r.Value = nil
	} else if value == nil {
		r.Value = []byte{}
	}
	return r
}

// Whatever is in the record: no panic, a usable id, texts within bounds, and what is accepted comes back the same from its own record.
func FuzzDecodeCommand(f *testing.F) {
	plain := &kgo.Record{Key: []byte("acc-1"), Value: []byte("{}"), Partition: home, Headers: []kgo.RecordHeader{{Key: "ce_type", Value: []byte("bank.Open")}}}
	seed(f, plain, kafka.EncodeCommand(fullCommand(), "accounts.commands", home), kafka.EncodeCommand(calledCommand(), "accounts.commands", home), &kgo.Record{})
	f.Fuzz(func(t *testing.T, key, value []byte, null bool, flat []byte, partition int32) {
		c := kafka.DecodeCommand(input("accounts.commands", key, value, null, flat, partition), accounts)
		if err := muster.CheckCommandID(c.ID); err != nil {
			t.Fatalf("id %q: %v", c.ID, err)
		}
		if len(c.AggregateID) > muster.MaxAggregateID || len(c.Type) > muster.MaxType || len(c.CorrelationID) > 200 || len(c.CausationID) > 200 {
			t.Fatal("a text is beyond its bound")
		}
		dead := muster.DeadLetter{Command: c, Cause: muster.Error{Code: muster.Internal}, Time: at}
		if _, err := kafka.DecodeDeadLetter(kafka.EncodeDeadLetter(&dead, "accounts.dead"), accounts); err != nil {
			t.Fatalf("its dead letter cannot be read: %v", err)
		}
		if c.Fault != nil {
			return
		}
		for _, err := range []error{
			muster.CheckAggregateID(c.AggregateID), muster.CheckType(c.Type), muster.CheckHeaders(c.Headers), muster.CheckPayload("payload", len(c.Payload)),
		} {
			if err != nil {
				t.Fatalf("accepted, but %v", err)
			}
		}
		again := kafka.EncodeCommand(&c, c.Topic, c.Partition)
		again.Offset, again.Timestamp = c.Offset, at
		if diff := cmp.Diff(c, kafka.DecodeCommand(again, accounts), same); diff != "" {
			t.Fatal(diff)
		}
	})
}

func FuzzDecodeEvent(f *testing.F) {
	first := fullEvent()
	first.Index = 0
	seed(f, kafka.EncodeEvent(fullEvent(), "accounts.events"), kafka.EncodeEvent(first, "accounts.events"), &kgo.Record{})
	f.Fuzz(func(t *testing.T, key, value []byte, null bool, flat []byte, partition int32) {
		e, err := kafka.DecodeEvent(input("accounts.events", key, value, null, flat, partition), accounts)
		if err != nil {
			if !errors.Is(err, kafka.ErrForeign) && !errors.Is(err, kafka.ErrTombstone) && muster.CodeOf(err) != muster.DataLoss {
				t.Fatalf("%v: of no kind", err)
			}
			return
		}
		if e.Revision == 0 || e.Index < 0 || e.Index >= e.Count || e.Payload == nil || muster.CheckAggregateID(e.AggregateID) != nil {
			t.Fatalf("accepted %+v", e)
		}
		again := kafka.EncodeEvent(&e, e.Topic)
		again.Offset = e.Offset
		if !bytes.Equal(again.Key, key) {
			t.Fatalf("key %q was written as %q", key, again.Key)
		}
		got, err := kafka.DecodeEvent(again, accounts)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(e, got, same); diff != "" {
			t.Fatal(diff)
		}
	})
}

func FuzzDecodeDeadLetter(f *testing.F) {
	seed(f, kafka.EncodeDeadLetter(fullDeadLetter(f), "accounts.dead"), &kgo.Record{})
	f.Fuzz(func(t *testing.T, key, value []byte, null bool, flat []byte, partition int32) {
		d, err := kafka.DecodeDeadLetter(input("accounts.dead", key, value, null, flat, partition), accounts)
		if err != nil {
			if !errors.Is(err, kafka.ErrForeign) && muster.CodeOf(err) != muster.DataLoss {
				t.Fatalf("%v: of no kind", err)
			}
			return
		}
		got, err := kafka.DecodeDeadLetter(kafka.EncodeDeadLetter(&d, "accounts.dead"), accounts)
		if err != nil {
			t.Fatal(err)
		}
		if got.Command.Position() != d.Command.Position() || got.Cause.Code != d.Cause.Code || !bytes.Equal(got.Command.Payload, d.Command.Payload) {
			t.Fatalf("%+v came back as %+v", d, got)
		}
	})
}

func FuzzDecodeReply(f *testing.F) {
	r, err := kafka.EncodeReply(fullReply(), "")
	if err != nil {
		f.Fatal(err)
	}
	seed(f, r, &kgo.Record{})
	f.Fuzz(func(t *testing.T, key, value []byte, null bool, flat []byte, partition int32) {
		outcome, err := kafka.DecodeReply(input("replies.web", key, value, null, flat, partition))
		if err != nil {
			if !errors.Is(err, kafka.ErrForeign) && !errors.Is(err, kafka.ErrTombstone) && muster.CodeOf(err) != muster.DataLoss {
				t.Fatalf("%v: of no kind", err)
			}
			return
		}
		if outcome.CommandID != string(key) || muster.CheckCommandID(outcome.CommandID) != nil {
			t.Fatalf("accepted id %q of key %q", outcome.CommandID, key)
		}
	})
}
