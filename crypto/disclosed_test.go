package crypto_test

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/crypto/internal/personpb"
)

// laterPerson is oldPerson after its name was declared personal.
type (
	oldPerson   struct{ Name, Mail string }
	laterPerson struct {
		Name string `muster:"personal"`
		Mail string
	}
	oldPair struct {
		A, B, NameA string
		NameB       string `muster:"personal,subject=B"`
	}
	laterPair struct {
		A     string `muster:"subject_id"`
		B     string `muster:"subject_id"`
		NameA string `muster:"personal,subject=A"`
		NameB string `muster:"personal,subject=B"`
	}
	subjectB struct { // as oldPair, with the id of its subject marked
		A     string
		B     string `muster:"subject_id"`
		NameA string
		NameB string `muster:"personal,subject=B"`
	}
)

// What lies in clear and would be sealed today is found, also beside what is sealed, without a key and whatever became of the keys; what is sealed is not.
func TestDisclosed(t *testing.T) {
	w := openCodec(t, func(c *crypto.Config) {
		c.Types = []crypto.Declaration{crypto.Whole[*personpb.Item](nil), crypto.Remainder(func(p *personpb.Person) *personpb.Person { return &personpb.Person{Born: p.Born} })}
	})
	plain := func(v any) []byte {
		data, _, err := (muster.PlainCodec{}).Encode(nil, eventAt("p-1", 1), v)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	sealed := func(v any) []byte {
		data, _, err := w.Encode(nil, eventAt("p-1", 1), v)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	transfer := &personpb.Transfer{From: "anna", To: "bert", FromName: "Anna", ToName: "Bert"}
	wide := &personpb.Wide{Id: "x", Later: "y"}
	cases := map[string]struct {
		data []byte
		into any
		want []string
	}{
		"nothing is personal":             {plain(oldPerson{"Anna", "a@x"}), &oldPerson{}, nil},
		"a field":                         {plain(oldPerson{"Anna", "a@x"}), &laterPerson{}, []string{"p-1"}},
		"an empty field":                  {plain(oldPerson{"", "a@x"}), &laterPerson{}, nil},
		"sealed":                          {sealed(laterPerson{"Anna", "a@x"}), &laterPerson{}, nil},
		"beside what is sealed":           {sealed(subjectB{"anna", "bert", "Anna", "Bert"}), &laterPair{}, []string{"anna"}},
		"of two":                          {plain(oldPair{"anna", "bert", "Anna", "Bert"}), &laterPair{}, []string{"anna", "bert"}},
		"one of nobody":                   {plain(oldPair{"", "bert", "Anna", "Bert"}), &laterPair{}, []string{"bert"}},
		"protobuf of two":                 {plain(transfer), &personpb.Transfer{}, []string{"anna", "bert"}},
		"protobuf, sealed":                {sealed(transfer), &personpb.Transfer{}, nil},
		"a whole payload":                 {plain(&personpb.Item{Sku: "x"}), &personpb.Item{}, []string{"p-1"}},
		"a whole payload, sealed":         {sealed(&personpb.Item{Sku: "x"}), &personpb.Item{}, nil},
		"with a remainder":                {plain(anna()), &personpb.Person{}, []string{"p-1"}},
		"what remains":                    {sealed(anna()), &personpb.Person{}, nil},
		"an unknown field":                {plain(wide), &personpb.Narrow{}, []string{"p-1"}},
		"an unknown field that is sealed": {sealed(mustNarrow(t, wide)), &personpb.Narrow{}, nil},
	}
	for _, destroyed := range []bool{false, true} {
		for name, one := range cases {
			asked := w.store.asked.Load()
			got, err := w.Disclosed([]muster.SubjectRef{{1}}, eventAt("p-1", 1), one.data, one.into)
			want := []muster.SubjectRef{{1}}
			for _, id := range one.want {
				want = append(want, w.Ref(id))
			}
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%s, keys destroyed %v: %x, %v; want %x", name, destroyed, got, err, want)
			}
			if w.store.asked.Load() != asked {
				t.Errorf("%s: a key was asked for", name)
			}
		}
		for _, id := range []string{"p-1", "anna", "bert"} {
			w.store.destroy(t, w.Ref(id))
		}
	}
}

// A typed event tells whose data it has in clear, sealed or not, also when the keys are gone.
func TestDisclosedByATypedEvent(t *testing.T) {
	w := openCodec(t)
	booked := muster.NewEvent[laterPair](muster.NewGroup("pairs"), "pairs.Booked")
	event := func(codec muster.Codec, v any) *muster.Event {
		place := eventAt("p-1", 1)
		data, content, err := codec.Encode(nil, place, v)
		if err != nil {
			t.Fatal(err)
		}
		return &muster.Event{Payload: data, Meta: muster.Meta{
			ID: place.MessageID, Group: place.Group, Type: place.Type, AggregateID: place.AggregateID, Revision: place.Revision, ContentType: content,
		}}
	}
	pair := oldPair{"anna", "bert", "Anna", "Bert"}
	events := map[string]struct {
		event *muster.Event
		want  []string
	}{
		"in clear":       {event(muster.PlainCodec{}, pair), []string{"anna", "bert"}},
		"sealed in part": {event(w, subjectB(pair)), []string{"anna"}},
		"sealed":         {event(w, laterPair(pair)), nil},
	}
	for _, destroyed := range []bool{false, true} {
		for name, one := range events {
			var want []muster.SubjectRef
			for _, id := range one.want {
				want = append(want, w.Ref(id))
			}
			if got, err := booked.Disclosed(w, one.event); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s, keys destroyed %v: %x, %v; want %x", name, destroyed, got, err, want)
			}
		}
		for _, id := range []string{"anna", "bert"} {
			w.store.destroy(t, w.Ref(id))
		}
	}
	if _, err := booked.Disclosed(w, &muster.Event{Payload: []byte("{")}); err == nil {
		t.Error("an event that cannot be decoded discloses nothing")
	}
}

// mustNarrow reads a message as an older build does.
func mustNarrow(t *testing.T, wide *personpb.Wide) *personpb.Narrow {
	t.Helper()
	narrow := &personpb.Narrow{}
	data, err := proto.Marshal(wide)
	if err != nil || proto.Unmarshal(data, narrow) != nil {
		t.Fatal(err)
	}
	return narrow
}

// Who reads for one person gets what lies in clear of that one and not what lies there of others.
func TestForOnePersonWithholdsWhatLiesInClearOfOthers(t *testing.T) {
	w := openCodec(t, func(c *crypto.Config) { c.Types = []crypto.Declaration{crypto.Whole[*personpb.Item](nil)} })
	place := eventAt("p-1", 1)
	plain := func(v any) []byte {
		data, _, err := (muster.PlainCodec{}).Encode(nil, place, v)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	pair := oldPair{"anna", "bert", "Anna", "Bert"}
	sealed, _, err := w.Encode(nil, place, subjectB(pair))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"in clear": plain(pair), "sealed in part": sealed} {
		for id, want := range map[string]laterPair{
			"anna": {"anna", "bert", "Anna", ""}, "bert": {"anna", "bert", "", "Bert"}, "cleo": {A: "anna", B: "bert"},
		} {
			var got laterPair
			r, err := w.For(w.Ref(id)).Reveal(place, data, &got)
			if err != nil || got != want || !r.Denied || len(r.Paths) == 0 || r.Whole() {
				t.Errorf("%s, for %s: %+v, %+v, %v; want %+v", name, id, got, r, err, want)
			}
		}
	}
	transfer := &personpb.Transfer{From: "anna", To: "bert", FromName: "Anna", ToName: "Bert", Amount: 5, Note: "for tea"}
	got := &personpb.Transfer{}
	r, err := w.For(w.Ref("anna")).Reveal(place, plain(transfer), got)
	want := &personpb.Transfer{From: "anna", To: "bert", FromName: "Anna", Amount: 5}
	if err != nil || !proto.Equal(got, want) || !slices.Equal(r.Paths, []string{"to_name", "note"}) || r.Access != muster.AccessPartial {
		t.Errorf("%v, %+v, %v; want %v", got, r, err, want)
	}
	item := &personpb.Item{}
	if r, err := w.For(w.Ref("anna")).Reveal(place, plain(&personpb.Item{Sku: "x"}), item); err != nil || !r.Whole() || item.GetSku() != "" {
		t.Errorf("a whole payload of somebody else: %v, %+v, %v", item, r, err)
	}
	if r, err := w.For(w.Ref("p-1")).Reveal(place, plain(&personpb.Item{Sku: "x"}), item); err != nil || r.Whole() || item.GetSku() != "x" {
		t.Errorf("a whole payload: %v, %+v, %v", item, r, err)
	}
}

// countingInner counts what it decodes.
type countingInner struct {
	muster.PlainCodec
	decoded int
}

func (c *countingInner) Decode(place muster.Place, data []byte, into any) error {
	c.decoded++
	return c.PlainCodec.Decode(place, data, into)
}

// A payload of a type that declares nothing is not decoded to find nothing in it: there can be millions of them.
func TestWhatDeclaresNothingIsNotDecoded(t *testing.T) {
	inner := &countingInner{}
	w := openCodec(t, func(c *crypto.Config) { c.Inner = inner })
	for _, c := range []struct{ v, into any }{{oldPerson{Name: "x"}, &oldPerson{}}, {&personpb.Item{Sku: "x"}, &personpb.Item{}}} {
		data, _, err := w.Encode(nil, eventAt("p-1", 1), c.v)
		if err != nil {
			t.Fatal(err)
		}
		if refs, err := w.Disclosed(nil, eventAt("p-1", 1), data, c.into); err != nil || len(refs) > 0 || inner.decoded > 0 {
			t.Errorf("%T: %v, %v, %d decodings", c.v, refs, err, inner.decoded)
		}
	}
	if _, err := w.Disclosed(nil, eventAt("p-1", 1), []byte(`{"Name":"x"}`), &laterPerson{}); err != nil || inner.decoded != 1 {
		t.Errorf("of a type that declares something: %v, %d decodings", err, inner.decoded)
	}
}
