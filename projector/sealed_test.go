package projector_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/sealtest"
	"github.com/seed-3eec0498/muster/mustertest"
	"github.com/seed-3eec0498/muster/projector"
)

// sealedRig is a rig whose events are sealed.
type sealedRig struct {
	*rig
	codec *sealtest.Codec
	seen  []muster.Redaction // what the function was told
}

func newSealedRig(t *testing.T, opts ...projector.Option) *sealedRig {
	r := &sealedRig{rig: newRig(t, 1, opts...), codec: &sealtest.Codec{Unbound: true, Fields: map[string][]string{"projector_test.noted": {"text"}}}}
	r.p = mustertest.NewMemoryProjection("texts", opts...)
	projector.On(r.p, r.event, func(ctx context.Context, to *mustertest.MemoryTx, e noted, m muster.Meta) error {
		r.seen = append(r.seen, m.Redaction)
		if e.Text == "" {
			e.Text = "-"
		}
		return r.apply(ctx, to, e, m)
	})
	return r
}

func (r *sealedRig) seal(aggregate, text string) {
	r.t.Helper()
	ev := mustertest.NewEvent(r.event, aggregate, noted{text})
	var err error
	if ev.Payload, ev.ContentType, err = r.codec.Encode(nil, muster.Place{AggregateID: aggregate}, noted{text}); err != nil {
		r.t.Fatal(err)
	}
	r.journal.Append(r.source(0), ev)
}

func (r *sealedRig) run() *projector.Runner {
	runner, _ := r.start(func(c *projector.Config) { c.Codec = r.codec })
	return runner
}

func TestFaultOfASealedEvent(t *testing.T) {
	skip := projector.OnUndecodable(projector.Skip)
	for name, c := range map[string]struct {
		fault   muster.PayloadFault
		opts    []projector.Option
		rows    []string
		state   projector.State
		reason  string
		letters int
	}{
		"unavailable waits":            {muster.FaultUnavailable, nil, []string{"b:1"}, projector.Retrying, "key-unavailable", 0},
		"unavailable is never skipped": {muster.FaultUnavailable, []projector.Option{skip}, []string{"b:1"}, projector.Retrying, "key-unavailable", 0},
		"missing stops":                {muster.FaultMissing, []projector.Option{skip}, []string{"b:1"}, projector.Stopped, "key-missing", 0},
		"an unknown format stops":      {muster.FaultFormat, nil, []string{"b:1"}, projector.Stopped, "sealed-format", 0},
		"tampered is parked":           {muster.FaultTampered, []projector.Option{skip}, []string{"b:1 3"}, projector.Live, "", 1},
		"erased is told":               {muster.FaultErased, nil, []string{"b:1 3", "a:-"}, projector.Live, "", 0},
		"no access is told":            {muster.FaultNoAccess, nil, []string{"b:1 3", "a:-"}, projector.Live, "", 0},
		"erased is passed over":        {muster.FaultErased, []projector.Option{projector.OnRedacted(projector.Ignore)}, []string{"b:1 3"}, projector.Live, "", 0},
		"erased is skipped":            {muster.FaultErased, []projector.Option{projector.OnRedacted(projector.Skip)}, []string{"b:1 3"}, projector.Live, "", 1},
		"erased stops":                 {muster.FaultErased, []projector.Option{projector.OnRedacted(projector.Stop)}, []string{"b:1"}, projector.Stopped, "erased", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newSealedRig(t, c.opts...)
				r.seal("b", "1")
				r.seal("a", "2")
				r.seal("b", "3")
				r.codec.Fail("a", c.fault)
				runner := r.run()
				pass(10 * time.Minute)
				s := wantState(t, runner, 0, c.state, c.reason)
				r.wantRows(0, c.rows...)
				if got := s.Letters[projector.Parked] + s.Letters[projector.Skipped]; got != c.letters {
					t.Errorf("%d letters, want %d", got, c.letters)
				}
				told := c.rows != nil && strings.Contains(strings.Join(c.rows, " "), "-")
				if told && (len(r.seen) != 3 || r.seen[1].Access == muster.AccessOpen || len(r.seen[1].Paths) != 1) {
					t.Errorf("the function was told %+v", r.seen)
				}
				if got := r.logs.String(); strings.Contains(got, "level=ERROR") != (c.state == projector.Stopped || c.fault == muster.FaultTampered) {
					t.Errorf("alarms: %s", got)
				}
				if c.state != projector.Retrying {
					return
				}
				r.codec.Mend("a")
				pass(10 * time.Minute)
				wantState(t, runner, 0, projector.Live, "")
				r.wantRows(0, "b:1 3", "a:2")
			})
		})
	}
}

// TestPublisherKeepsPersonalDataIn: what leaves is in clear, so it leaves only where somebody has said so.
func TestPublisherKeepsPersonalDataIn(t *testing.T) {
	o := projector.NewOutbox(nil)
	codec := &sealtest.Codec{Fields: map[string][]string{"projector_test.noted": {"text"}}}
	o.Before(&projector.Running{ID: "id", Personal: codec.Personal})
	ctx := muster.WithMeta(t.Context(), &muster.Meta{Group: "notes", AggregateID: "a", Type: "Noted"})
	e := muster.CloudEvent{Type: "public.Noted"}
	if err := o.Publish(ctx, "out", e, noted{"Canary"}); muster.CodeOf(err) != muster.FailedPrecondition || strings.Contains(err.Error(), "Canary") {
		t.Errorf("got %v", err)
	}
	if err := o.Publish(ctx, "out", e, map[string]int{"count": 1}); err != nil {
		t.Errorf("a type without personal data: %v", err)
	}
	o.Before(&projector.Running{ID: "id"})
	if err := o.Publish(ctx, "out", e, noted{"disclosed"}); err != nil {
		t.Errorf("disclosed: %v", err)
	}
	if got := len(o.Publications()); got != 2 {
		t.Errorf("%d publications, want 2", got)
	}
}
