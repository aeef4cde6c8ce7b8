package service_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/examples/privacy/peoplepb"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/service"
)

// version is the view as another build has it; arrives is called with each id.
func (h *erasureHouse) version(n int, arrives func(ctx context.Context, id string)) *projector.View[*peoplepb.Person] {
	v := projector.NewView[*peoplepb.Person](h.name, projector.Version(n), projector.Switch(projector.SwitchByHand))
	projector.On(v, h.signed, func(ctx context.Context, rows *projector.Rows[*peoplepb.Person], e *peoplepb.SignedUp, m muster.Meta) error {
		if arrives != nil {
			arrives(ctx, m.AggregateID)
		}
		return rows.Put(m.AggregateID, &peoplepb.Person{Name: e.Name, Email: e.Email, City: e.City})
	})
	return v
}

// A version of a view is away, and the build that comes has another one. The rest of the service acknowledges all the same; of what is missing an alert
// tells, and whoever knows that it is gone acknowledges by hand.
func TestErasureWithAVersionThatIsGone(t *testing.T) {
	h, dir := newErasureHouse(t), t.TempDir()
	one := h.version(1, nil)
	s := h.start(dir, nil, h.owner(), one)
	h.signsUp(s, "anna", "Anna", muster.WaitFor(one))
	h.signsUp(s, "bert", "Bert", muster.WaitFor(one))
	s.end()
	logs, metrics := newLines(), prometheus.NewRegistry()
	h.alter = func(c *service.Config) {
		c.Logger, c.Metrics, c.Erasure.Patience = slog.New(logs), metrics, time.Nanosecond
	}
	desk := h.start("", nil)
	asked, err := desk.Privacy().Erase(t.Context(), "anna", "gdpr-17", "desk")
	if err != nil {
		t.Fatal(err)
	}
	h.alter = nil
	s = h.start(dir, nil, h.owner(), h.version(2, nil))
	var e crypto.Erasure
	eventually(t, "only the version that is gone owes", func() bool {
		e, err = desk.Privacy().Status(t.Context(), "anna")
		return err == nil && len(e.Missing()) == 2
	})
	for _, d := range e.Missing() {
		if d.Kind != crypto.DutyProjection || d.Name != h.name+"@1" {
			t.Errorf("missing is %v", d)
		}
	}
	eventually(t, "the alert names what is missing", func() bool {
		logs.mu.Lock()
		defer logs.mu.Unlock()
		for _, l := range *logs.all {
			if l.level == slog.LevelError && l.attrs["erasure"] == asked.ID && strings.Contains(l.attrs["missing"], h.name+"@1") {
				return strings.Contains(scraped(t, metrics), "muster_erasures_overdue")
			}
		}
		return false
	})
	if e.State != crypto.ErasurePropagating {
		t.Errorf("it is %s while somebody owes", e.State)
	}
	if err := desk.Privacy().Ledger().Acknowledge(t.Context(), e.ID, e.Missing()...); err != nil {
		t.Fatal(err)
	}
	h.await(desk, "anna")
	h.wantErased(s, nil, "anna", "bert")
}

// Where history is gone the stored state is redacted: there is nothing to fold.
func TestErasureWithoutHistory(t *testing.T) {
	h := newErasureHouse(t, muster.Journal(muster.KeepLatest))
	view := h.view()
	s := h.start(t.TempDir(), nil, h.owner(), view)
	h.signsUp(s, "anna", "Anna", muster.WaitFor(view))
	h.signsUp(s, "bert", "Bert", muster.WaitFor(view))
	h.erases(s, "anna")
	h.wantErased(s, view, "anna", "bert")
}

// A version of a view is being built while somebody is erased, and one shard of the view is paused: both carry it out, the latter although it applies nothing.
func TestErasureDuringABuildAndAPause(t *testing.T) {
	h, dir := newErasureHouse(t), t.TempDir()
	one := h.version(1, nil)
	s := h.start(dir, nil, h.owner(), one)
	h.signsUp(s, "anna", "Anna", muster.WaitFor(one))
	h.signsUp(s, "bert", "Bert", muster.WaitFor(one))
	s.end()
	building, proceed := make(chan struct{}, 8), make(chan struct{})
	one = h.version(1, nil)
	two := h.version(2, func(ctx context.Context, id string) {
		if id == "bert" {
			building <- struct{}{}
			select {
			case <-proceed:
			case <-ctx.Done():
			}
		}
	})
	s = h.start(dir, nil, h.owner(), one, two)
	if err := s.Operator().Pause(bounded(t), projector.Scope{Projection: h.name + "@1"}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-building:
	case <-bounded(t).Done():
		t.Fatal("the new version is not built")
	}
	if _, err := s.Privacy().Erase(t.Context(), "anna", "gdpr-17", "desk"); err != nil {
		t.Fatal(err)
	}
	close(proceed)
	if e := h.await(s, "anna"); len(e.Done) != 6 {
		t.Errorf("acknowledged by %v", e.Done)
	}
	h.wantErased(s, one, "anna", "bert")
	if err := s.Operator().Serve(bounded(t), h.name, 2); err != nil {
		t.Fatal(err)
	}
	h.wantErased(s, two, "anna", "bert")
}
