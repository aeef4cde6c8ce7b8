package crypto_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto/internal/personpb"
)

// A message that is split, sealed, opened and merged is what it was, with everything unknown in it.
func FuzzMergeOfSplitMessages(f *testing.F) {
	w := openCodec(f)
	seed, err := proto.Marshal(anna())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed, "p-1")
	f.Add(append(slices.Clone(seed), 0x82, 0x06, 3, 'x', 'y', 'z'), "p-1")                     // an unknown field
	f.Add(append(slices.Clone(seed), 0x2a, 7, 0x12, 1, 'x', 0xc2, 0x06, 1, 'u'), "p-1")        // a second home, with another one
	f.Add([]byte{0x72, 5, 0x0a, 1, 's', 0x50, 9, 0x7a, 6, 0x0a, 1, 'k', 0x12, 1, 0x20}, "p-1") // and in elements
	f.Add([]byte{0x82, 1, 4, 0x2a, 2, 0x12, 0}, "p-1")
	f.Fuzz(func(t *testing.T, data []byte, id string) {
		in := &personpb.Person{}
		if proto.Unmarshal(data, in) != nil || len(data) > 10_000 {
			return
		}
		place := eventAt(id, 1)
		sealed, _, err := w.Encode(nil, place, in)
		if id == "" || err != nil {
			if id != "" {
				t.Fatal(err)
			}
			return
		}
		out := &personpb.Person{}
		if err := w.Decode(place, sealed, out); err != nil {
			t.Fatal(err)
		}
		echo := &personpb.Person{}
		if _, _, _, err := w.Echo(nil, place, in, echo); err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(in, out) || !proto.Equal(echo, out) {
			t.Errorf("in:   %v\nout:  %v\necho: %v", in, out, echo)
		}
	})
}

func FuzzMergeOfSplitStructs(f *testing.F) {
	w := openCodec(f)
	seed, err := json.Marshal(splitAnna())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"owner":"\u2028<&>\"","<na&me>":"]},{\\","Tags":[],"Traits":{},"Work":{},"Number":-1,"Note":"","Born":" ","Home":{"street":"\\u0000"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		in, out := splitPerson{}, splitPerson{}
		if json.Unmarshal(data, &in) != nil {
			return
		}
		if in.Owner == "" {
			in.Owner = "o"
		}
		if in.Number == 0 {
			in.Number = 1
		}
		sealed, _, err := w.Encode(nil, eventAt("p-1", 1), in)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Decode(eventAt("p-1", 1), sealed, &out); err != nil {
			t.Fatal(err)
		}
		echo := splitPerson{}
		if _, _, _, err := w.Echo(nil, eventAt("p-1", 1), in, &echo); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(in, out) || !reflect.DeepEqual(echo, out) {
			t.Errorf("in:   %+v\nout:  %+v\necho: %+v", in, out, echo)
		}
	})
}

// Whatever comes in, it is decoded, or refused with a class.
func FuzzOpen(f *testing.F) {
	w := openCodec(f)
	place := eventAt("p-1", 1)
	for _, v := range []any{anna(), &personpb.Transfer{From: "anna", To: "bert", FromName: "A", ToName: "B"}, splitAnna(), muster.Raw(muster.SealedMark)} {
		data, _, err := w.Encode(nil, place, v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data[len(muster.SealedMark):], uint8(0))
		f.Add(data[len(muster.SealedMark):len(data)-1], uint8(1))
	}
	f.Fuzz(func(t *testing.T, rest []byte, kind uint8) {
		into := []any{&personpb.Person{}, &splitPerson{}, &muster.Raw{}, &personpb.Item{}}[kind%4]
		data := append([]byte(muster.SealedMark), rest...)
		r, err := w.Reveal(place, data, into)
		if err != nil && (r.Access != muster.AccessOpen || muster.PayloadFaultOf(err) == muster.FaultErased) {
			t.Errorf("%v with %v", err, r)
		}
		w.Likeness(nil, data)
	})
}
