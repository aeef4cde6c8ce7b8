package projector_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// private is the meta of the event whose function is run.
var private = muster.Meta{
	ID: "c1/0", Group: "accounts", Type: "bank.Credited", AggregateID: "acc-1", Time: time.Unix(1_800_000_000, 0).UTC(), CorrelationID: "co", CausationID: "c1",
	TraceParent: "00-1-2-01", Headers: muster.Headers{{Key: "tenant", Value: []byte("secret")}},
}

func newOutbox(t *testing.T, check func(*projector.Publication) error) (context.Context, *projector.Outbox) {
	t.Helper()
	o := projector.NewOutbox(check)
	o.Before(&projector.Running{ID: "public/accounts/c1/0"})
	return muster.WithMeta(t.Context(), &private), o
}

func TestOutboxFillsInWhatAnEventLeavesOpen(t *testing.T) {
	ctx, o := newOutbox(t, nil)
	if err := o.Publish(ctx, "public", muster.CloudEvent{Type: "credited.v1"}, struct{ Amount int }{7}); err != nil {
		t.Fatal(err)
	}
	given := muster.CloudEvent{
		ID: "own", Source: "bank", Type: "credited.v1", Subject: "s", Time: time.Unix(1, 0), ContentType: "text/plain", CorrelationID: "x", CausationID: "y", Key: "k",
		Payload: []byte("as it is"), TraceParent: "t", TraceState: "u",
	}
	if err := o.Publish(ctx, "public", given, nil); err != nil {
		t.Fatal(err)
	}
	if err := o.Publish(ctx, "public", muster.CloudEvent{Type: "credited.v1", ContentType: "text/plain"}, muster.Raw("raw")); err != nil {
		t.Fatal(err)
	}
	if err := o.Remove("public", "gone"); err != nil {
		t.Fatal(err)
	}
	open := muster.CloudEvent{
		ID: "public/accounts/c1/0", Source: "accounts", Type: "credited.v1", Subject: "acc-1", Time: private.Time, ContentType: muster.ContentJSON,
		CorrelationID: "co", CausationID: "c1/0", TraceParent: "00-1-2-01", Key: "acc-1", Payload: []byte(`{"Amount":7}`),
	}
	third := open
	third.ID, third.ContentType, third.Payload = open.ID+"/2", "text/plain", []byte("raw")
	want := []projector.Publication{
		{Topic: "public", Event: open},
		{Topic: "public", Event: given},
		{Topic: "public", Event: third},
		{Topic: "public", Event: muster.CloudEvent{Key: "gone"}, Remove: true},
	}
	if diff := cmp.Diff(want, o.Publications()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestOutboxRefusesWhatCannotBeWritten(t *testing.T) {
	full := errors.New("too large for its topic")
	ctx, o := newOutbox(t, func(p *projector.Publication) error {
		if p.Topic == "small" {
			return full
		}
		return nil
	})
	for name, err := range map[string]error{
		"no type":           o.Publish(ctx, "public", muster.CloudEvent{}, nil),
		"not encodable":     o.Publish(ctx, "public", muster.CloudEvent{Type: "t"}, func() {}),
		"reserved header":   o.Publish(ctx, "public", muster.CloudEvent{Type: "t", Headers: muster.Headers{{Key: "ce_id"}}}, nil),
		"payload too large": o.Publish(ctx, "public", muster.CloudEvent{Type: "t"}, muster.Raw(make([]byte, muster.MaxPayload+1))),
		"key too long":      o.Publish(ctx, "public", muster.CloudEvent{Type: "t", Key: strings.Repeat("k", muster.MaxRecordKey+1)}, nil),
		"for its topic":     o.Publish(ctx, "small", muster.CloudEvent{Type: "t"}, nil),
		"removal of no key": o.Remove("public", ""),
		"without a source":  o.Publish(t.Context(), "public", muster.CloudEvent{Type: "t"}, nil),
	} {
		if err == nil {
			t.Errorf("%s: it was taken", name)
		}
	}
	if n := len(o.Publications()); n != 0 {
		t.Errorf("%d publications", n)
	}
}

func TestEffectsGiveTheKeyOfTheRun(t *testing.T) {
	fx := projector.NewEffects("mails")
	_, o := newOutbox(t, nil)
	if e := fx.Hand(o); e.Key() != "public/accounts/c1/0" || e.Replayed() {
		t.Errorf("%+v", e)
	}
	o.Before(&projector.Running{ID: "next", Replayed: true})
	if e := fx.Hand(o); e.Key() != "next" || !e.Replayed() {
		t.Errorf("%+v", e)
	}
}

func TestPublisherDefinitions(t *testing.T) {
	g := muster.NewGroup("accounts", muster.Partitions(2))
	read := func(p *projector.Publisher) string {
		projector.OnOthers(p, g, func(context.Context, *projector.Outbox, *muster.Event) error { return nil })
		if err := p.Definition().Validate(""); err != nil {
			return err.Error()
		}
		return ""
	}
	for name, c := range map[string]struct {
		p    *projector.Publisher
		want string
	}{
		"no topic":   {projector.NewPublisher("p"), "projector.To"},
		"bad topic":  {projector.NewPublisher("p", projector.To("", 1)), "give a topic"},
		"bad count":  {projector.NewPublisher("p", projector.To("t", -1)), "give a topic"},
		"twice":      {projector.NewPublisher("p", projector.To("t", 1), projector.To("t", 2)), "declared twice"},
		"a journal":  {projector.NewPublisher("p", projector.To("accounts.events", 2)), "its owner alone"},
		"everywhere": {projector.NewPublisher("p", projector.To("t", 1), projector.Place(projector.Replicated)), "by one instance"},
		"a good one": {projector.NewPublisher("p", projector.To("t", 1), projector.To("u", 0)), ""},
	} {
		if got := read(c.p); !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s: %q", name, got)
		}
	}
}
