package muster_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/mustertest"
)

// refoldCodec seals nothing; it lets the name of an erased person be absent, and tells whose a payload is.
type refoldCodec struct {
	muster.PlainCodec
	erased map[string]bool
}

type refoldPerson struct {
	Who    string `json:"who,omitempty"` // the subject
	Name   string `json:"name,omitempty"`
	Length int    `json:"length,omitempty"` // derived from the name
	Events int    `json:"events,omitempty"`
}

func (c *refoldCodec) Decode(place muster.Place, data []byte, into any) error {
	err := c.PlainCodec.Decode(place, data, into)
	if p, is := into.(*refoldPerson); is && c.erased[p.Who] {
		p.Name = ""
	}
	return err
}

func (c *refoldCodec) Subjects(dst []muster.SubjectRef, data []byte) []muster.SubjectRef {
	var p refoldPerson
	if json.Unmarshal(data, &p) != nil || p.Who == "" {
		return dst
	}
	ref := muster.SubjectRef{}
	copy(ref[:], p.Who)
	if slices.Contains(dst, ref) {
		return dst
	}
	return append(dst, ref)
}

var (
	refoldGroup = muster.NewGroup("people", muster.Partitions(1))
	refoldNamed = muster.NewEvent[refoldPerson](refoldGroup, "people.Named")
	refoldSeen  = muster.NewEvent[refoldPerson](refoldGroup, "people.Seen")
)

func refoldEvents(t *testing.T, codec muster.Codec) []muster.Event {
	t.Helper()
	var all []muster.Event
	add := func(kind, id string, revision uint64, p refoldPerson) {
		e := muster.Event{Meta: muster.Meta{ID: id + kind, Type: kind, Group: "people", AggregateID: id, Revision: revision, Offset: int64(len(all))}, Count: 1}
		data, content, err := codec.Encode(nil, muster.Place{}, p)
		if err != nil {
			t.Fatal(err)
		}
		e.Payload, e.ContentType = data, content
		all = append(all, e)
	}
	add("people.Named", "a", 1, refoldPerson{Who: "anna", Name: "Anna"})
	add("people.Named", "b", 1, refoldPerson{Who: "bert", Name: "Bertram"})
	add("people.Seen", "a", 2, refoldPerson{Who: "carl"}) // of a third person, who is in no state
	add("people.Seen", "b", 2, refoldPerson{})
	return all
}

func refoldProcessor(t *testing.T, codec muster.Codec) (*muster.Processor, *mustertest.MemoryStates) {
	t.Helper()
	people := muster.NewAggregate(refoldGroup, func() refoldPerson { return refoldPerson{} })
	muster.Evolve(people, refoldNamed, func(s, e refoldPerson) refoldPerson {
		return refoldPerson{Who: e.Who, Name: e.Name, Length: len(e.Name), Events: s.Events + 1}
	})
	muster.Evolve(people, refoldSeen, func(s, _ refoldPerson) refoldPerson { s.Events++; return s })
	states := mustertest.NewMemoryStates()
	p := muster.NewProcessor(people.Behaviour(), muster.ProcessorConfig{Codec: codec, States: states})
	p.Take(0, 0)
	return p, states
}

// After an erasure the state is the fold of what can still be read, and nothing else; what was derived from a name goes, too.
func TestRefoldLeavesNothingOfTheErased(t *testing.T) {
	for name, from := range map[string]int{"whole journal": 0, "trimmed": 2} {
		t.Run(name, func(t *testing.T) {
			codec := &refoldCodec{erased: map[string]bool{}}
			p, states := refoldProcessor(t, codec)
			events := refoldEvents(t, codec)
			c, err := p.Replay(0, events, 4)
			if err != nil {
				t.Fatal(err)
			}
			anna, carl := muster.SubjectRef{}, muster.SubjectRef{}
			copy(anna[:], "anna")
			copy(carl[:], "carl")
			if got := c.States[0]; !slices.Equal(got.Subjects, []muster.SubjectRef{anna, carl}) || got.Unindexed != 2 {
				t.Fatalf("state a is %+v; want anna and carl among its subjects, both new", got)
			}
			if err := states.Store(t.Context(), []muster.Changes{c}); err != nil {
				t.Fatal(err)
			}
			codec.erased["anna"] = true
			refolding := p.Refold(0, []string{"a"})
			if err := refolding.Add(events[from:]); err != nil {
				t.Fatal(err)
			}
			redacted, err := refolding.States()
			if err != nil || len(redacted) != 1 {
				t.Fatalf("%+v, %v", redacted, err)
			}
			want := `{"who":"anna","events":2}`
			if from > 0 { // the journal no longer has what the length was made of, only what is personal by itself goes
				want = `{"who":"anna","length":4,"events":2}`
			}
			if got := redacted[0]; string(got.Data) != want || got.Revision != 2 || got.Offset != 2 || len(got.Subjects) != 2 {
				t.Errorf("refolded to %s at %d, %d, want %s", got.Data, got.Revision, got.Offset, want)
			}
			if stored, _ := states.Load(0, "b"); !bytes.Contains(stored.Data, []byte("Bertram")) {
				t.Errorf("the other one is %s", stored.Data)
			}
		})
	}
}

func TestRefoldThatHasNotReadEverythingGivesNothing(t *testing.T) {
	codec := &refoldCodec{erased: map[string]bool{}}
	p, states := refoldProcessor(t, codec)
	events := refoldEvents(t, codec)
	c, err := p.Replay(0, events, 4)
	if err != nil {
		t.Fatal(err)
	}
	if err := states.Store(t.Context(), []muster.Changes{c}); err != nil {
		t.Fatal(err)
	}
	refolding := p.Refold(0, []string{"a", "never was"})
	if err := refolding.Add(events[:1]); err != nil {
		t.Fatal(err)
	}
	if got, err := refolding.States(); err == nil {
		t.Fatalf("a refold that ends early gave %+v", got)
	}
	if err := refolding.Add(events); err != nil { // what it had is passed over
		t.Fatal(err)
	}
	if got, err := refolding.States(); err != nil || len(got) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
}
