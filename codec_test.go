package muster_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/seed-3eec0498/muster"
)

func TestPlainCodecRoundTrips(t *testing.T) {
	codec := muster.PlainCodec{}
	for name, test := range map[string]struct {
		in, into any
		content  string
	}{
		"protobuf": {wrapperspb.String("é"), &wrapperspb.StringValue{}, muster.ContentProtobuf},
		"raw":      {muster.Raw{0, 255}, &muster.Raw{}, muster.ContentRaw},
		"bytes":    {[]byte{0, 255}, &[]byte{}, muster.ContentRaw},
		"struct":   {order{Amount: 1.5, Text: "<é>"}, &order{}, muster.ContentJSON},
		"text":     {"plain", new(string), muster.ContentJSON},
	} {
		t.Run(name, func(t *testing.T) {
			data, content, err := codec.Encode([]byte("before"), muster.Place{}, test.in)
			if err != nil || content != test.content {
				t.Fatalf("content %q, %v", content, err)
			}
			data, found := bytes.CutPrefix(data, []byte("before"))
			if !found {
				t.Fatal("Encode must append")
			}
			for _, said := range []string{content, ""} {
				if err := codec.Decode(muster.Place{ContentType: said}, data, test.into); err != nil {
					t.Fatalf("said %q: %v", said, err)
				}
			}
			again, _, err := codec.Encode(nil, muster.Place{}, test.in)
			if err != nil || !bytes.Equal(again, data) {
				t.Errorf("got %q, want %q", again, data)
			}
			kept, _, err := codec.Encode(nil, muster.Place{}, deref(test.into))
			clear(data) // a decoder may keep no part of its input
			if after, _, _ := codec.Encode(nil, muster.Place{}, deref(test.into)); err != nil || !bytes.Equal(after, kept) {
				t.Error("the decoded value shares memory with the input")
			}
		})
	}
}

func deref(v any) any {
	switch v := v.(type) {
	case *muster.Raw:
		return *v
	case *[]byte:
		return *v
	}
	return v
}

// An empty message is an empty payload, never nil: as a record's value nil is null, and null is a tombstone.
func TestEmptyPayloadIsNoTombstone(t *testing.T) {
	for name, v := range map[string]any{"protobuf": &wrapperspb.StringValue{}, "raw": muster.Raw{}, "no raw": muster.Raw(nil), "bytes": []byte(nil)} {
		data, _, err := muster.PlainCodec{}.Encode(nil, muster.Place{}, v)
		if err != nil || data == nil || len(data) != 0 {
			t.Errorf("%s: got %#v, %v", name, data, err)
		}
	}
}

func TestPlainCodecTellsNoPayload(t *testing.T) {
	codec, place := muster.PlainCodec{}, muster.Place{Type: "bank.Open"}
	deep := []byte{}
	for range 150 { // nested lists, deeper than any honest message
		deep = protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), protowire.AppendBytes(protowire.AppendTag(nil, 6, protowire.BytesType), deep))
	}
	for name, test := range map[string]struct {
		content string
		data    []byte
		into    any
	}{
		"not JSON":      {"", []byte(`{"text": secret}`), &order{}},
		"wrong field":   {"", []byte(`{"times": "secret"}`), &order{}},
		"number":        {"", []byte(`{"times": 5e99999}`), &order{}},
		"two values":    {"", []byte(`{} {"secret":1}`), &order{}},
		"not protobuf":  {"", []byte("\xffsecret"), &wrapperspb.StringValue{}},
		"no UTF-8":      {"", append([]byte{0x0a, 7, 0xff}, "secret"...), &wrapperspb.StringValue{}},
		"too deep":      {"", deep, &structpb.ListValue{}},
		"JSON for a pb": {muster.ContentJSON, []byte(`"secret"`), &wrapperspb.StringValue{}},
		"pb for JSON":   {muster.ContentProtobuf, []byte("secret"), &order{}},
	} {
		err := codec.Decode(muster.Place{Type: place.Type, ContentType: test.content}, test.data, test.into)
		if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), place.Type) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, v := range map[string]any{"NaN": math.NaN(), "channel": make(chan int), "no UTF-8": wrapperspb.String("secret\xff")} {
		if _, _, err := codec.Encode(nil, place, v); err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), place.Type) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// spy is a codec around a codec, as encryption will be; it notes the places.
type spy struct {
	muster.PlainCodec
	seen map[muster.Purpose]muster.Place
}

func (s *spy) Encode(dst []byte, place muster.Place, v any) ([]byte, string, error) {
	s.seen[place.Purpose] = place
	data, content, err := s.PlainCodec.Encode(dst, place, v)
	for i := len(dst); i < len(data); i++ {
		data[i] ^= 0x55
	}
	return data, content, err
}

func (s *spy) Decode(place muster.Place, data []byte, into any) error {
	s.seen[place.Purpose] = place
	plain := bytes.Clone(data)
	for i := range plain {
		plain[i] ^= 0x55
	}
	return s.PlainCodec.Decode(place, plain, into)
}

// Every payload passes the codec, which is told type, aggregate, revision and purpose: what is sealed for one place opens at no other.
func TestEveryPayloadPassesTheCodec(t *testing.T) {
	s := &spy{seen: map[muster.Purpose]muster.Place{}}
	w := newWorld(t, newBank().Account.Behaviour())
	w.config.Codec = s
	w.restart()
	sealed := func(cmd muster.Command) muster.Command {
		for i := range cmd.Payload {
			cmd.Payload[i] ^= 0x55
		}
		return cmd
	}
	f := w.do(sealed(command("open", "acc-1", "c1", order{})), sealed(command("deposit", "acc-1", "c2", order{Amount: 3})))
	w.restart()
	f2 := w.do(sealed(command("deposit", "acc-1", "c3", order{Amount: 4})))
	for purpose, want := range map[muster.Purpose]muster.Place{
		muster.PurposeCommand: {Group: "accounts", Type: "deposit", AggregateID: "acc-1", MessageID: "c3", ContentType: muster.ContentJSON},
		muster.PurposeEvent:   {Group: "accounts", Type: "Credited", AggregateID: "acc-1", Revision: 3, MessageID: "c3/0"},
		muster.PurposeReply:   {Group: "accounts", Type: "deposit", AggregateID: "acc-1", MessageID: "c3"},
		muster.PurposeState:   {Group: "accounts", Type: "accounts", AggregateID: "acc-1", Revision: 3},
	} {
		want.Purpose = purpose
		got := s.seen[purpose]
		if purpose != muster.PurposeCommand {
			got.ContentType = "" // told when decoding, and not yet known when encoding
		}
		if got != want {
			t.Errorf("place %+v, want %+v", got, want)
		}
	}
	var a account
	if err := s.Decode(muster.Place{}, f2.replies[0].Outcome.Payload, &a); err != nil || a.Balance != 7 {
		t.Errorf("%+v, %v", a, err)
	}
	for _, e := range append(f.decision.Events, f2.decision.Events...) {
		if bytes.Contains(e.Payload, []byte("{")) || bytes.Contains(e.Answer, []byte("balance")) {
			t.Errorf("event %s or its stored answer is in clear", e.ID)
		}
	}
}

// A typed event is decoded where the journal is read.
func TestEventDecode(t *testing.T) {
	b := newBank()
	w := newWorld(t, b.Account.Behaviour())
	opened(w, "acc-1")
	e := w.do(command("deposit", "acc-1", "c1", order{Amount: 3})).decision.Events[0]
	if got, err := b.Credited.Decode(muster.PlainCodec{}, &e); err != nil || got.Amount != 3 {
		t.Errorf("%+v, %v", got, err)
	}
	e.Payload = []byte("{secret")
	if _, err := b.Credited.Decode(muster.PlainCodec{}, &e); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

// reader is a StateReader over a world's store.
type reader struct{ w *world }

func (r reader) PeekState(g *muster.Group, id string) (muster.PeekedState, error) {
	if id == "elsewhere" {
		return muster.PeekedState{}, muster.ErrNotHeld
	}
	stored, err := r.w.store.Load(0, id)
	return muster.PeekedState{StoredState: stored, Position: muster.Position{Topic: g.JournalTopic(""), Offset: 9}, Time: epoch, Owned: true}, err
}

func (reader) PayloadCodec() muster.Codec { return muster.PlainCodec{} }

func TestPeek(t *testing.T) {
	b := newBank()
	w := newWorld(t, b.Account.Behaviour())
	opened(w, "acc-1")
	w.decide(w.batch(command("deposit", "acc-1", "c1", order{Amount: 3})), nil) // decided and not committed: not to be seen
	got, err := b.Account.Peek(reader{w}, "acc-1")
	if err != nil || got.State.Balance != 0 || got.Revision != 1 || got.Position.Offset != 9 || !got.Time.Equal(epoch) || !got.Owned {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := b.Account.Peek(reader{w}, "acc-2"); err != nil || got.Revision != 0 || got.State.Entries != 0 {
		t.Errorf("an aggregate without events: %+v, %v", got, err)
	}
	if _, err := b.Account.Peek(reader{w}, "elsewhere"); !errors.Is(err, muster.ErrNotHeld) {
		t.Errorf("got %v", err)
	}
}

var (
	_ muster.Codec       = (*spy)(nil)
	_ muster.StateReader = reader{}
)
