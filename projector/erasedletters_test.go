package projector_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/mustertest"
	"github.com/seed-3eec0498/muster/projector"
)

// clearCodec seals nothing and finds whose name a note says: "Anna comes" is anna's.
type clearCodec struct{ muster.PlainCodec }

func (clearCodec) Subjects(dst []muster.SubjectRef, _ []byte) []muster.SubjectRef { return dst }

func (c clearCodec) Disclosed(dst []muster.SubjectRef, place muster.Place, data []byte, into any) ([]muster.SubjectRef, error) {
	if err := c.Decode(place, data, into); err != nil {
		return dst, err
	}
	said := ""
	switch into := into.(type) {
	case *noted:
		said = into.Text
	case *muster.Raw:
		said = string(*into)
	}
	if who, _, is := strings.Cut(said, " comes"); is {
		dst = append(dst, erasedRef(strings.ToLower(who)))
	}
	return dst, nil
}

// unruly panics when it is decoded.
type unruly struct{}

func (*unruly) UnmarshalJSON([]byte) error { panic("unruly") }

// What the function wrote into the cause of a letter goes at the erasure of somebody of whom its event has something in clear, too. Letters of others stay as they
// are, and one that cannot be decoded holds nothing up.
func TestCausesOfEventsInClearGoAtAnErasure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, projector.OnFailure(once))
		wild := muster.NewEvent[unruly](r.group, "Wild")
		projector.On(r.p, wild, func(context.Context, *mustertest.MemoryTx, unruly, muster.Meta) error { return nil })
		projector.OnOthers(r.p, r.group, func(_ context.Context, _ *mustertest.MemoryTx, ev *muster.Event) error {
			return errors.New(string(ev.Payload))
		})
		for _, who := range []string{"Anna", "Bert"} {
			r.fails(who+" comes", always(errors.New("no room for "+who)))
		}
		r.note(0, "a:Anna comes", "b:Bert comes")
		broken := mustertest.NewEvent(r.event, "c", noted{"Anna comes"})
		broken.Payload = broken.Payload[:5]
		r.journal.Append(r.source(0), broken, mustertest.NewEvent(r.other, "d", noted{"Anna comes"}))
		tame := mustertest.NewEvent(r.other, "e", noted{"Anna comes"})
		tame.Type = wild.Name()
		r.journal.Append(r.source(0), tame)

		runner, o := r.operated(t, func(c *projector.Config) { c.Codec = clearCodec{} })
		causes := func() map[string]string {
			t.Helper()
			letters, err := o.Letters(t.Context(), projector.LetterQuery{Scope: texts})
			okay(t, err)
			all := map[string]string{}
			for _, l := range letters {
				all[l.Event.AggregateID] = l.Cause
			}
			return all
		}
		want := causes()
		if len(want) != 5 || want["a"] != "no room for Anna" || !strings.Contains(want["e"], "panicked") {
			t.Fatalf("before the erasure the letters have the causes %q", want)
		}
		okay(t, o.Erase(t.Context(), "texts", projector.SubjectErased{Erasure: "e1", Subject: erasedRef("anna")}))
		wantState(t, runner, 0, projector.Live, "")
		pass(2 * time.Second)
		if done, err := o.Erased("texts", "e1"); err != nil || !slices.Equal(done, []int32{0}) {
			t.Fatalf("done: %v, %v", done, err)
		}
		want["a"] = projector.CauseErased
		for id, got := range causes() {
			if got != want[id] {
				t.Errorf("the letter of %s has the cause %q, want %q", id, got, want[id])
			}
		}
	})
}

// A definition is asked whose data an event has in clear, and knows of the types that have a function of their own. What cannot be decoded is an error, also
// where the decoding panics.
func TestDisclosedByEvent(t *testing.T) {
	r := newRig(t, 1)
	wild := muster.NewEvent[unruly](r.group, "Wild")
	raw := muster.NewEvent[muster.Raw](r.group, "Raw")
	projector.On(r.p, wild, func(context.Context, *mustertest.MemoryTx, unruly, muster.Meta) error { return nil })
	projector.On(r.p, raw, func(context.Context, *mustertest.MemoryTx, muster.Raw, muster.Meta) error { return nil })
	projector.OnOthers(r.p, r.group, func(context.Context, *mustertest.MemoryTx, *muster.Event) error { return nil })
	anna := []muster.SubjectRef{erasedRef("anna")}
	for name, one := range map[string]struct {
		event muster.Event
		cut   int
		want  []muster.SubjectRef
		fault string
	}{
		"of anna":               {event: mustertest.NewEvent(r.event, "a", noted{"Anna comes"}), want: anna},
		"of anna, raw":          {event: mustertest.NewEvent(raw, "a", muster.Raw("Anna comes")), want: anna},
		"of nobody":             {event: mustertest.NewEvent(r.event, "a", noted{"rain"})},
		"without a function":    {event: mustertest.NewEvent(r.other, "a", noted{"Anna comes"})},
		"of no group of its":    {event: muster.Event{Meta: muster.Meta{Group: "else", Type: "Noted"}}},
		"of a bad record":       {event: muster.Event{}},
		"that is cut off":       {event: mustertest.NewEvent(r.event, "a", noted{"Anna comes"}), cut: 3, fault: "not valid JSON"},
		"whose decoding panics": {event: mustertest.NewEvent(wild, "a", unruly{}), fault: "panicked"},
	} {
		one.event.Payload = one.event.Payload[:len(one.event.Payload)-one.cut]
		got, err := r.p.Definition().DisclosedByEvent(clearCodec{}, &one.event)
		if (err != nil) != (one.fault != "") || err != nil && !strings.Contains(err.Error(), one.fault) {
			t.Errorf("an event %s: error %v, want %q", name, err, one.fault)
		}
		if want := one.want; !slices.Equal(got, want) && err == nil {
			t.Errorf("an event %s discloses something of %x, want %x", name, got, want)
		}
	}
}
