package muster_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
)

type struck struct{ Bell string }

func bells() (*muster.Group, *muster.EventType[struck]) {
	g := muster.NewGroup("bells")
	return g, muster.NewEvent[struck](g, "bells.Struck")
}

func strike(payload string) *muster.Event {
	return &muster.Event{
		Meta: muster.Meta{
			ID: "c-1/0", Type: "bells.Struck", Group: "bells", AggregateID: "tower", Revision: 1, CausationID: "c-1", CorrelationID: "talk",
			ContentType: muster.ContentJSON, Topic: "bells.events", Partition: 3, Offset: 41,
		},
		Payload: []byte(payload), Count: 1,
	}
}

func TestReadingWants(t *testing.T) {
	e := strike(`{}`)
	for name, c := range map[string]struct {
		opt  muster.ReadOption
		want bool
	}{
		"aggregate": {muster.OfAggregates("x", "tower"), true}, "other aggregate": {muster.OfAggregates("x"), false},
		"cause": {muster.CausedBy("c-1"), true}, "other cause": {muster.CausedBy("c-2"), false},
		"conversation": {muster.Correlated("talk"), true}, "other conversation": {muster.Correlated("c-1"), false},
		"predicate":       {muster.Where(func(e *muster.Event) bool { return e.Revision == 1 }), true},
		"other predicate": {muster.Where(func(e *muster.Event) bool { return e.Revision == 2 }), false},
	} {
		var r muster.Reading
		c.opt(&r)
		if r.Wants(e) != c.want {
			t.Errorf("%s: %v; want %v", name, !c.want, c.want)
		}
	}
	if r := (muster.Reading{Type: "bells.Cast"}); r.Wants(e) {
		t.Error("another type is wanted")
	}
}

func TestSubscriptionReportsAllFaults(t *testing.T) {
	g, struckType := bells()
	place := muster.Position{Topic: "bells.events", Partition: 1}
	err := muster.NewSubscription(g, "a/b", muster.FromTime(time.Time{}), muster.UntilEnd(), muster.OfAggregates(""),
		muster.After(place, place, muster.Position{Topic: "bells.events", Partition: 99, Offset: -2}, muster.Position{Topic: "other"}),
		muster.On(struckType, nil), muster.OnOthers(nil), muster.HandlerFaults(9)).Validate("")
	for _, part := range []string{
		"FromTime with no time", "UntilEnd", "a name has", "two positions of partition 1", "partitions 0 to 11", "below -1", "not of journal bells.events",
		`"bells.Struck" has a nil function`, "OnOthers has a nil function", "fault policy 9", "no functions", "aggregate",
	} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("no word about %q in\n%v", part, err)
		}
	}
	if err := muster.NewBroadcast(nil, "x", muster.OnOthers(func(context.Context, *muster.Event) error { return nil })).Validate(""); err == nil {
		t.Error("no group, and no fault")
	}
	sound := muster.NewSubscription(g, "sound", muster.On(struckType, func(context.Context, struck, muster.Meta) error { return nil }),
		muster.After(muster.Position{Topic: "bells.events", Partition: 1, Offset: -1}))
	if err := sound.Validate(""); err != nil || !sound.Durable() || sound.Group() != g || sound.Name() != "sound" {
		t.Errorf("%v, %+v", err, sound)
	}
}

// What a function returns, and what happens to it, becomes a fault with the policy for its reason.
func TestSubscriptionHandles(t *testing.T) {
	g, struckType := bells()
	broken := errors.New("broken")
	var got struck
	var meta muster.Meta
	outcome := map[string]func() error{
		"good": func() error { return nil }, "bad": func() error { return broken }, "wild": func() error { panic("secret") },
	}
	s := muster.NewSubscription(g, "s", muster.HandlerFaults(muster.FaultStop), muster.UndecodableEvents(muster.FaultSkip),
		muster.Where(func(e *muster.Event) bool {
			if e.AggregateID == "" {
				panic("the predicate")
			}
			return true
		}),
		muster.On(struckType, func(ctx context.Context, e struck, m muster.Meta) error {
			meta, _ = muster.MetaFrom(ctx)
			got = e
			if m.ID != meta.ID {
				t.Errorf("meta %+v, in the context %+v", m, meta)
			}
			return outcome[e.Bell]()
		}))
	for payload, want := range map[string]struct {
		handled bool
		reason  string
		policy  muster.FaultPolicy
	}{
		`{"Bell":"good"}`: {true, "", 0},
		`{"Bell":"bad"}`:  {false, muster.ReasonHandler, muster.FaultStop},
		`{"Bell":"wild"}`: {false, muster.ReasonPanic, muster.FaultStop},
		`{"Bell":7}`:      {false, muster.ReasonUndecodable, muster.FaultSkip},
	} {
		handled, fault := s.Handle(t.Context(), muster.PlainCodec{}, strike(payload))
		if handled != want.handled || (fault == nil) != (want.reason == "") {
			t.Errorf("%s: handled %v, %v", payload, handled, fault)
			continue
		}
		if fault != nil && (fault.Reason != want.reason || fault.Policy != want.policy || !strings.Contains(fault.Error(), "bells.events[3]@41") ||
			strings.Contains(fault.Error(), "secret")) {
			t.Errorf("%s: %v with policy %d", payload, fault, fault.Policy)
		}
		if want.reason == muster.ReasonHandler && !errors.Is(fault, broken) {
			t.Errorf("%v hides its cause", fault)
		}
	}
	if got.Bell == "" || meta.CausationID != "c-1" {
		t.Errorf("the function got %+v, %+v", got, meta)
	}
	nameless := strike(`{"Bell":"good"}`)
	nameless.AggregateID = ""
	if handled, fault := s.Handle(t.Context(), muster.PlainCodec{}, nameless); handled || fault == nil || fault.Reason != muster.ReasonPanic {
		t.Errorf("a predicate that panics: %v, %v", handled, fault)
	}
	strange := strike(`{}`)
	strange.Type = "bells.Melted"
	if handled, fault := s.Handle(t.Context(), muster.PlainCodec{}, strange); handled || fault == nil || fault.Reason != muster.ReasonUnknownType || fault.Policy != muster.FaultSkip {
		t.Errorf("an unknown type: %v, %v", handled, fault)
	}
}

// The contract decodes the payload of any command it has, and says what it has not.
func TestGroupDecodesCommands(t *testing.T) {
	g := muster.NewGroup("bells")
	muster.NewCommand[struck, struct{}](g, "bells.Strike")
	cmd := &muster.Command{Meta: muster.Meta{Type: "bells.Strike", Group: "bells", ContentType: muster.ContentJSON}, Payload: []byte(`{"Bell":"great"}`)}
	if v, err := g.DecodeCommand(muster.PlainCodec{}, cmd); err != nil || v != (struck{Bell: "great"}) {
		t.Errorf("%+v, %v", v, err)
	}
	cmd.Payload = []byte(`{"Bell":1}`)
	if _, err := g.DecodeCommand(muster.PlainCodec{}, cmd); muster.ReasonOf(err) != muster.ReasonUndecodable {
		t.Errorf("another shape: %v", err)
	}
	cmd.Type = "bells.Melt"
	if _, err := g.DecodeCommand(muster.PlainCodec{}, cmd); muster.ReasonOf(err) != muster.ReasonUnknownType {
		t.Errorf("another type: %v", err)
	}
}
