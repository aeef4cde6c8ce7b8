package crypto_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/crypto/internal/personpb"
)

type splitPlace struct {
	City   string
	Street string `json:"street,omitempty" muster:"personal"`
}

type splitSeen struct {
	Times int
	Where string `muster:"personal"`
}

type splitPerson struct {
	splitSeen
	Owner  string            `json:"owner" muster:"subject_id"`
	Name   string            `json:"<na&me>" muster:"personal,subject=Owner"`
	Tags   []string          `muster:"personal,subject=Owner"`
	Traits map[string]string `muster:"personal,subject=Owner"`
	Home   splitPlace
	Work   *splitPlace `muster:"personal"`
	Number int64       `muster:"subject_id"`
	Note   *string     `muster:"personal,subject=Number"`
	Born   string      `muster:"personal"`
	Count  int
}

func splitAnna() splitPerson {
	note := "canary, \\ \"note\" } ]"
	return splitPerson{
		splitSeen: splitSeen{3, "canary seen"}, Owner: "u-1", Name: "Canary ☂", Tags: []string{"canary", "}"}, Traits: map[string]string{"a": "canary"},
		Home: splitPlace{"Bern", "Canary Lane"}, Work: &splitPlace{"Canary City", ""}, Number: 12, Note: &note, Born: "1970-canary", Count: 5,
	}
}

func TestStructsAreSplitByTheirTags(t *testing.T) {
	w := openCodec(t)
	place, in := eventAt("p-1", 1), splitAnna()
	for _, v := range []any{in, &in} {
		data, content, err := w.Encode([]byte("before"), place, v)
		if err != nil || content != muster.ContentSealed {
			t.Fatal(content, err)
		}
		data, found := bytes.CutPrefix(data, []byte("before"))
		if !found || bytes.Contains(data, []byte("anary")) || !bytes.Contains(data, []byte("Bern")) || !bytes.Contains(data, []byte("u-1")) {
			t.Fatalf("%q", data)
		}
		var got splitPerson
		r, err := w.Reveal(place, data, &got)
		if err != nil || r.Access != muster.AccessOpen || !reflect.DeepEqual(got, in) {
			t.Fatalf("%v, %v: %+v\nwant %+v", r, err, got, in)
		}
		pointer := &splitPerson{}
		if err := w.Decode(place, data, &pointer); err != nil || !reflect.DeepEqual(*pointer, in) {
			t.Fatalf("%v: %+v", err, pointer)
		}
	}
	data, _, _ := w.Encode(nil, place, in)
	w.store.destroy(t, w.Ref("u-1"))
	w.store.destroy(t, w.Ref("12"))
	var got splitPerson
	r, err := w.Reveal(place, data, &got)
	want := in
	want.Name, want.Tags, want.Traits, want.Note = "", nil, nil, nil
	if err != nil || r.Access != muster.AccessPartial || !slices.Equal(r.Paths, []string{"Name", "Tags", "Traits", "Note"}) || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v: %+v", r, err, got)
	}
	w.store.destroy(t, w.Ref("p-1"))
	got = splitPerson{}
	r, err = w.Reveal(place, data, &got)
	if err != nil || r.Access != muster.AccessShredded || !slices.Contains(r.Paths, "Home.Street") || got.Home.City != "Bern" || got.Count != 5 {
		t.Errorf("%v, %v: %+v", r, err, got)
	}
}

func TestWhatSaysNothingNeedsNoKey(t *testing.T) {
	w := openCodec(t)
	place := eventAt("p-1", 1)
	for _, v := range []any{splitPerson{Count: 1}, &personpb.Person{Visits: 2}} {
		data, content, err := w.Encode(nil, place, v)
		if err != nil || content != muster.ContentSealed {
			t.Fatal(content, err)
		}
		into := reflect.New(reflect.Indirect(reflect.ValueOf(v)).Type())
		if r, err := w.Reveal(place, data, into.Interface()); err != nil || r.Access != muster.AccessOpen {
			t.Error(r, err)
		}
	}
	if w.store.asked.Load() != 0 {
		t.Error("the key store was asked")
	}
	_, _, err := w.Encode(nil, place, splitPerson{Name: "Anna"})
	if err == nil || !strings.Contains(err.Error(), "says whose") || strings.Contains(err.Error(), "Anna") {
		t.Errorf("a name of nobody: %v", err)
	}
}

func TestWholePayloads(t *testing.T) {
	type note struct{ Of, Text string }
	w := openCodec(t, func(c *crypto.Config) {
		c.Types = []crypto.Declaration{crypto.Whole(func(n note) string { return n.Of }), crypto.Whole[*personpb.Item](nil)}
	})
	place, in := eventAt("p-1", 1), note{"u-1", "canary"}
	data, _, err := w.Encode(nil, place, &in)
	if err != nil || bytes.Contains(data, []byte("canary")) {
		t.Fatal(err)
	}
	var got note
	if err := w.Decode(place, data, &got); err != nil || got != in {
		t.Fatal(got, err)
	}
	if _, _, err := w.Encode(nil, place, note{Text: "x"}); err == nil || !strings.Contains(err.Error(), "for whom") {
		t.Error(err)
	}
	item := &personpb.Item{Sku: "canary"}
	sealed, _, err := w.Encode(nil, place, item)
	if err != nil || bytes.Contains(sealed, []byte("canary")) {
		t.Fatal(err)
	}
	back := &personpb.Item{}
	if err := w.Decode(place, sealed, back); err != nil || !proto.Equal(back, item) {
		t.Fatal(back, err)
	}
	w.store.destroy(t, w.Ref("u-1"))
	got = note{}
	if r, err := w.Reveal(place, data, &got); err != nil || r.Access != muster.AccessShredded || !r.Whole() || got != (note{}) {
		t.Error(r, got, err)
	}
	// A state of an erased subject is stored as an empty one, a message is refused.
	if _, _, err := w.Encode(nil, place, in); !errors.Is(err, crypto.ErrShredded) {
		t.Error(err)
	}
	place.Purpose = muster.PurposeState
	data, _, err = w.Encode(nil, place, in)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := w.Reveal(place, data, &got); err != nil || !r.Whole() || got != (note{}) {
		t.Error(r, got, err)
	}
	place.Purpose = muster.PurposeEvent
	if _, err := w.Reveal(place, data, &got); !errors.Is(err, crypto.ErrUnknownFormat) {
		t.Errorf("such a state read as an event: %v", err)
	}
}

func TestAStateLeavesErasedSubjectsOut(t *testing.T) {
	w := openCodec(t)
	w.store.destroy(t, w.Ref("anna"))
	place := muster.Place{Purpose: muster.PurposeState, Group: "bank", Type: "bank", AggregateID: "acc", Revision: 9}
	in := &personpb.Transfer{From: "anna", To: "bert", FromName: "Anna", ToName: "Bert", Amount: 5}
	data, _, err := w.Encode(nil, place, in)
	if err != nil {
		t.Fatal(err)
	}
	got := &personpb.Transfer{}
	r, err := w.Reveal(place, data, got)
	in.FromName = ""
	if err != nil || r.Access != muster.AccessOpen || !proto.Equal(got, in) {
		t.Error(r, got, err)
	}
}

func TestRemainders(t *testing.T) {
	w := openCodec(t, func(c *crypto.Config) {
		c.Types = []crypto.Declaration{
			crypto.Remainder(func(p *personpb.Person) *personpb.Person {
				return &personpb.Person{Born: p.GetBorn() / 10 * 10, Phones: []string{"last 4"}, Home: &personpb.Address{Street: "some street"}, Work: &personpb.Address{City: "w"}}
			}),
			crypto.Remainder(func(p splitPerson) splitPerson { return splitPerson{Born: p.Born[:4], Home: splitPlace{Street: "x"}} }),
		}
	})
	place, in := eventAt("p-1", 1), anna()
	in.Born = 1975
	data, _, err := w.Encode(nil, place, in)
	if err != nil {
		t.Fatal(err)
	}
	got := &personpb.Person{}
	if err := w.Decode(place, data, got); err != nil || !proto.Equal(got, in) {
		t.Fatalf("%v, %v\nwant %v", err, got, in)
	}
	one := splitAnna()
	text, _, err := w.Encode(nil, place, one)
	if err != nil {
		t.Fatal(err)
	}
	var back splitPerson
	if err := w.Decode(place, text, &back); err != nil || !reflect.DeepEqual(back, one) {
		t.Fatalf("%v %+v", err, back)
	}
	w.store.destroy(t, w.Ref("p-1"))
	r, err := w.Reveal(place, data, got)
	if err != nil || r.Access != muster.AccessShredded || got.GetBorn() != 1970 || len(got.GetPhones()) != 1 || got.GetHome().GetStreet() != "some street" || got.GetHome().GetCity() != "Bern" {
		t.Errorf("%v %v %v", r, err, got)
	}
	back = splitPerson{}
	if r, err := w.Reveal(place, text, &back); err != nil || r.Access != muster.AccessPartial || back.Born != "1970" || back.Home != (splitPlace{"Bern", "x"}) {
		t.Errorf("%v %v %+v", r, err, back)
	}
	wrong := openCodec(t, func(c *crypto.Config) {
		c.Types = []crypto.Declaration{
			crypto.Remainder(func(p *personpb.Person) *personpb.Person { return p }),
			crypto.Remainder(func(p splitPerson) splitPerson { return p }),
		}
	})
	for _, v := range []any{in, one} {
		if _, _, err := wrong.Encode(nil, place, v); err == nil || !strings.Contains(err.Error(), "not personal") {
			t.Error(err)
		}
	}
}

func TestUnknownFieldsAreSealed(t *testing.T) {
	w := openCodec(t)
	inner := func(a, later string) *personpb.Wide_Inner { return &personpb.Wide_Inner{A: a, Later: later} }
	wide := &personpb.Wide{
		Id: "shown", Inner: inner("seen", "canary"), List: []*personpb.Wide_Inner{inner("one", ""), inner("two", "canary")},
		Map: map[string]*personpb.Wide_Inner{"k": inner("three", "canary")}, Later: "canary",
	}
	bytesOf, err := proto.Marshal(wide)
	if err != nil {
		t.Fatal(err)
	}
	narrow := &personpb.Narrow{}
	if err := proto.Unmarshal(bytesOf, narrow); err != nil {
		t.Fatal(err)
	}
	place := eventAt("p-1", 1)
	data, content, err := w.Encode(nil, place, narrow)
	if err != nil || content != muster.ContentSealed || bytes.Contains(data, []byte("canary")) || !bytes.Contains(data, []byte("seen")) {
		t.Fatalf("%v %s %q", err, content, data)
	}
	for _, into := range []proto.Message{&personpb.Narrow{}, &personpb.Wide{}} {
		if err := w.Decode(place, data, into); err != nil {
			t.Fatal(err)
		}
		again, err := proto.Marshal(into)
		back := &personpb.Wide{}
		if err != nil || proto.Unmarshal(again, back) != nil || !proto.Equal(back, wide) {
			t.Errorf("%v, %v", err, back)
		}
	}
	w.store.destroy(t, w.Ref("p-1"))
	if r, err := w.Reveal(place, data, &personpb.Narrow{}); err != nil || r.Access != muster.AccessShredded || r.Whole() {
		t.Errorf("without the unknown fields: %v %v", r, err)
	}
	plain := &personpb.Narrow{Id: "x", List: []*personpb.Narrow_Inner{{A: "y"}}}
	if _, content, err := w.Encode(nil, place, plain); err != nil || content != muster.ContentProtobuf {
		t.Errorf("nothing is unknown: %s %v", content, err)
	}
}

// What was written before encryption was switched on is read, unless that is refused.
func TestPlainPayloads(t *testing.T) {
	w := openCodec(t)
	strict := openCodec(t, func(c *crypto.Config) { c.RequireSealed = true })
	place := eventAt("p-1", 1)
	for _, v := range []any{anna(), splitAnna(), &personpb.Item{Sku: "x"}, muster.Raw("raw"), map[string]int{"a": 1}} {
		data, content, err := (muster.PlainCodec{}).Encode(nil, place, v)
		if err != nil {
			t.Fatal(err)
		}
		_, private := v.(*personpb.Person)
		if _, is := v.(splitPerson); is {
			private = true
		}
		for _, place.ContentType = range []string{content, ""} {
			into := reflect.New(reflect.Indirect(reflect.ValueOf(v)).Type())
			if r, err := w.Reveal(place, data, into.Interface()); err != nil || r.Access != muster.AccessOpen {
				t.Errorf("%T: %v %v", v, r, err)
			}
			got, _ := json.Marshal(into.Interface())
			if want, _ := json.Marshal(v); !bytes.Equal(got, want) {
				t.Errorf("%s, want %s", got, want)
			}
			if err := strict.Decode(place, data, into.Interface()); private != errors.Is(err, crypto.ErrUnknownFormat) {
				t.Errorf("strict, %T: %v", v, err)
			}
		}
	}
	// What begins like an envelope is put into one, so that it is not taken for one.
	evil := muster.Raw(muster.SealedMark + "\x01 and more")
	data, content, err := w.Encode(nil, place, evil)
	if err != nil || content != muster.ContentSealed {
		t.Fatal(content, err)
	}
	var got muster.Raw
	if err := w.Decode(place, data, &got); err != nil || !bytes.Equal(got, evil) {
		t.Errorf("%q %v", got, err)
	}
}

func TestARepeatIsLikeTheFirst(t *testing.T) {
	w := openCodec(t)
	place := muster.Place{Purpose: muster.PurposeCommand, Group: "bank", Type: "bank.Transfer", AggregateID: "acc", MessageID: "c1"}
	in := &personpb.Transfer{From: "anna", To: "bert", FromName: "Anna", ToName: "Bert", Amount: 5}
	one, _, _ := w.Encode(nil, place, in)
	two, _, _ := w.Encode(nil, place, in)
	if bytes.Equal(one, two) {
		t.Error("two sealings are the same")
	}
	carl := muster.SubjectRef{9}
	if got := w.Subjects([]muster.SubjectRef{carl, w.Ref("bert")}, one); !slices.Equal(got, []muster.SubjectRef{carl, w.Ref("bert"), w.Ref("anna")}) {
		t.Errorf("the subjects are %x", got)
	}
	if got := w.Subjects(nil, one[:len(one)-1]); got != nil {
		t.Errorf("of no payload the subjects are %x", got)
	}
	if !bytes.Equal(w.Likeness(nil, one), w.Likeness(nil, two)) {
		t.Error("two sealings of one value are not alike")
	}
	in.Amount++
	other, _, _ := w.Encode(nil, place, in)
	in.Amount, in.To = in.Amount-1, "carl"
	third, _, _ := w.Encode(nil, place, in)
	if bytes.Equal(w.Likeness(nil, one), w.Likeness(nil, other)) || bytes.Equal(w.Likeness(nil, one), w.Likeness(nil, third)) {
		t.Error("another command is alike")
	}
}

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	w := speedCodec(t)
	place, dst := eventAt("p-1", 1), make([]byte, 0, 4096)
	var v any = muster.Raw(make([]byte, 1024))
	if n := testing.AllocsPerRun(100, func() { _, _, _ = w.Encode(dst, place, v) }); n > 0 {
		t.Errorf("sealing allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() { _, _, _ = w.Encode(nil, place, v) }); n > 1 {
		t.Errorf("sealing into new memory allocates %v times, that memory once", n)
	}
	data, _, _ := w.Encode(nil, place, v)
	if n := testing.AllocsPerRun(100, func() { w.Likeness(nil, data) }); n > 1 {
		t.Errorf("a likeness allocates %v times, its memory once", n)
	}
	var into muster.Raw
	if n := testing.AllocsPerRun(100, func() { _ = w.Decode(place, data, &into) }); n > 1 {
		t.Errorf("opening allocates %v times, the inner codec once", n)
	}
}
