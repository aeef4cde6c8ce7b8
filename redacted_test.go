package muster_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/seed-3eec0498/muster"
)

// TestFoldGoesOnOverRedactedEvents erases a person between two events and rebuilds: names are gone, revisions and all else stay.
func TestFoldGoesOnOverRedactedEvents(t *testing.T) {
	p := newPeople()
	w := p.world(t)
	w.do(p.command(t, 0, "p-1", "c1", "Ada"), p.command(t, 0, "p-2", "c2", "Bob"), p.command(t, 0, "p-1", "c3", "Ada L"))
	p.codec.Fail("p-1", muster.FaultErased)
	w.rebuild(2)
	if s, revision := p.stored(t, w, "p-1"); s != (person{Plan: "gold", Count: 2}) || revision != 2 {
		t.Errorf("the erased one: %+v at %d", s, revision)
	}
	if s, _ := p.stored(t, w, "p-2"); s.Name != "Bob" {
		t.Errorf("another one: %+v", s)
	}
	plain := p.command(t, 0, "p-1", "c4", "")
	if o := w.do(plain).outcome(t, "c4", 0); o.Code != muster.OK || o.Revision != 3 {
		t.Errorf("a command without personal data: %+v", o)
	}
}

func TestEventAbsentAsAWhole(t *testing.T) {
	for name, test := range map[string]struct {
		options []muster.GroupOption
		own     bool
		want    person
	}{
		"the state stays":       {nil, false, person{Plan: "first", Count: 1}},
		"a reaction of its own": {nil, true, person{Plan: "shredded", Count: 101}},
		"latest is empty":       {[]muster.GroupOption{muster.Journal(muster.KeepLatest)}, false, person{}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeople(test.options...)
			gone := muster.NewEvent[goneFact](p.group, "Gone")
			leave := muster.NewCommand[personIn, person](p.group, "leave")
			p.codec.Fields[fmt.Sprintf("%T", goneFact{})] = []string{"*"}
			muster.Decide(p.account, leave, func(_ context.Context, root *muster.Root[person], in personIn) (person, error) {
				gone.Emit(root, goneFact{Why: in.Plan})
				return person{}, nil
			})
			muster.Evolve(p.account, gone, func(s person, e goneFact) person { return person{Plan: e.Why, Count: s.Count + 1} })
			if test.own {
				muster.EvolveRedacted(p.account, gone, func(s person, _ goneFact, r muster.Redaction) person {
					if !r.Whole() || r.Access != muster.AccessShredded {
						t.Errorf("told %+v", r)
					}
					return person{Plan: "shredded", Count: s.Count + 100}
				})
			}
			w := p.world(t)
			first, second := p.command(t, 0, "p-1", "c1", ""), p.command(t, 0, "p-1", "c2", "")
			first.ContentType, first.Payload = muster.ContentJSON, []byte(`{"plan":"first"}`)
			second.Type, second.ContentType, second.Payload = "leave", muster.ContentJSON, []byte(`{"plan":"bye"}`)
			w.do(first, second)
			p.codec.Fail("p-1", muster.FaultErased)
			w.rebuild(10)
			if s, revision := p.stored(t, w, "p-1"); s != test.want || revision != 2 {
				t.Errorf("got %+v at %d, want %+v at 2", s, revision, test.want)
			}
		})
	}
}

type goneFact struct {
	Why string `json:"why,omitempty"`
}

// TestHandlerOfAnErasedSubject: what would have to be sealed for it is refused, and nothing of the command stays.
func TestHandlerOfAnErasedSubject(t *testing.T) {
	p := newPeople()
	w := p.world(t)
	plain := p.command(t, 0, "p-1", "c1", "")
	plain.ContentType, plain.Payload = muster.ContentJSON, []byte(`{"name":"Ada"}`) // an old sender, which does not seal
	p.codec.Fail("p-1", muster.FaultErased)
	f := w.do(plain)
	if o := f.outcome(t, "c1", 0); o.Code != muster.FailedPrecondition || o.Reason != muster.ReasonErased || len(f.decision.Events)+len(f.decision.Dead) > 0 {
		t.Errorf("got %+v", o)
	}
}

// TestEmitDuringAnOutage: the handler has run, and its command waits all the same.
func TestEmitDuringAnOutage(t *testing.T) {
	p := newPeople()
	w := p.world(t)
	plain := p.command(t, 0, "p-1", "c1", "")
	plain.ContentType, plain.Payload = muster.ContentJSON, []byte(`{"name":"Ada"}`)
	p.codec.Fail("p-1", muster.FaultUnavailable)
	if err := roundError(t, w, plain); !muster.PayloadFaultOf(err).Passing() {
		t.Fatalf("got %v", err)
	}
	p.codec.Mend("p-1")
	if o := w.do(plain).outcome(t, "c1", 0); o.Code != muster.OK || o.Revision != 1 {
		t.Errorf("got %+v", o)
	}
}

func TestUndecodableLetterIsSealedAsAWhole(t *testing.T) {
	p := newPeople()
	w := p.world(t)
	bad := p.command(t, 0, "p-1", "c1", "")
	bad.ContentType, bad.Payload = muster.ContentJSON, []byte(`{"name":"Canary"`)
	letter := w.do(bad).decision.Dead[0].Command
	if string(letter.Payload) == string(bad.Payload) || letter.ContentType == bad.ContentType {
		t.Fatalf("the letter has the payload in clear: %s", letter.ContentType)
	}
	if err := muster.OpenLetter(muster.PlainCodec{}, &muster.Command{Meta: letter.Meta, Payload: letter.Payload}); err == nil {
		t.Error("opened without the codec")
	}
	if err := muster.OpenLetter(p.codec, &letter); err != nil || string(letter.Payload) != string(bad.Payload) || letter.ContentType != bad.ContentType {
		t.Errorf("opened: %s %q, %v", letter.ContentType, letter.Payload, err)
	}
	p.codec.Fail("p-2", muster.FaultMissing)
	bad.AggregateID, bad.ID = "p-2", "c2"
	if letter := w.do(bad).decision.Dead[0]; len(letter.Command.Payload) != 0 || letter.Cause.Reason != muster.ReasonUndecodable {
		t.Errorf("a letter that cannot be sealed: %+v", letter)
	}
}
