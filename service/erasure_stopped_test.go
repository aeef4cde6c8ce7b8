package service_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/examples/privacy/peoplepb"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/service"
)

// A shard has stopped at an event that its function does not bear. Its rows are redacted all the same, and it stays where it is; when it is resumed it
// gets the event without what was the person's. The other one is intact.
func TestErasureWithAStoppedShard(t *testing.T) {
	h := newErasureHouse(t, oneErasurePartition)
	var mended atomic.Bool
	view := projector.NewView[*peoplepb.Person](h.name, projector.OnFailure(projector.Policy{Tries: 1, Then: projector.Stop}))
	projector.On(view, h.signed, func(_ context.Context, rows *projector.Rows[*peoplepb.Person], e *peoplepb.SignedUp, m muster.Meta) error {
		if e.City == "Atlantis" && !mended.Load() {
			return errors.New("there is no such city")
		}
		return rows.Put(m.AggregateID, &peoplepb.Person{Name: e.Name, Email: e.Email, City: e.City})
	})
	s := h.start(t.TempDir(), nil, h.owner(), view)
	h.signsUp(s, "anna", "Anna", muster.WaitFor(view))
	h.signsUp(s, "bert", "Bert", muster.WaitFor(view))
	if _, err := h.signUp.Send(t.Context(), s.Client(), "anna", &peoplepb.SignUp{Name: "Anna", City: "Atlantis"}); err != nil {
		t.Fatal(err)
	}
	stopped := func() bool {
		all := s.Projections()
		return len(all) == 1 && all[0].State == projector.Stopped && all[0].Reason == projector.ReasonHandler
	}
	eventually(t, "the shard stops", stopped)
	h.erases(s, "anna")
	if !stopped() {
		t.Errorf("the erasure has let the shard go on: %+v", s.Projections())
	}
	proof, err := s.Privacy().VerifyErased(bounded(t), "anna")
	if err != nil || !proof.Proven() || proof.Rows != 2 {
		t.Errorf("the verification gives %+v, %v", proof, err)
	}
	mended.Store(true)
	if err := s.Operator().Resume(bounded(t), projector.Scope{Projection: h.name}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the event is applied", func() bool {
		row, err := view.Get(bounded(t), s.Views(), "anna")
		return err == nil && row.City == "Atlantis"
	})
	for id, name := range map[string]string{"anna": "", "bert": "Bert"} {
		if row, err := view.Get(bounded(t), s.Views(), id); err != nil || row.Name != name {
			t.Errorf("of %s the view has %v, %v", id, row, err)
		}
	}
}

// overdue gives how many acknowledgements the metric says are missing past their deadline; -1 where there is no metric.
func overdue(t *testing.T, metrics prometheus.Gatherer) float64 {
	t.Helper()
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "muster_erasures_overdue" {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	return -1
}

// What a shard has to do about an erasure fails, or what it writes to cannot be used. It owes its acknowledgement for as long as that lasts: log and
// metric tell who is missing, and a verification says that nothing is proven. When it is mended it acknowledges.
func TestErasureWithAFaultyShard(t *testing.T) {
	h := newErasureHouse(t, oneErasurePartition)
	var mended atomic.Bool
	view := h.view()
	projector.OnErased(view, func(context.Context, *projector.Rows[*peoplepb.Person], projector.SubjectErased) error {
		if !mended.Load() {
			return errors.New("the search index is away")
		}
		return nil
	})
	logs, metrics := newLines(), prometheus.NewRegistry()
	h.alter = func(c *service.Config) {
		c.Logger, c.Metrics, c.Erasure.Patience, c.Erasure.Look = slog.New(logs), metrics, time.Nanosecond, 10*time.Millisecond
	}
	s := h.start(t.TempDir(), nil, h.owner(), view)
	h.signsUp(s, "anna", "Anna", muster.WaitFor(view))
	h.signsUp(s, "bert", "Bert", muster.WaitFor(view))
	asked, err := s.Privacy().Erase(t.Context(), "anna", "gdpr-17", "desk")
	if err != nil {
		t.Fatal(err)
	}
	duty := crypto.Duty{Service: h.name, Kind: crypto.DutyProjection, Name: h.name + "@1", Partition: 0}
	eventually(t, "nobody but the shard owes, and the alert says so", func() bool {
		e, err := s.Privacy().Status(t.Context(), "anna")
		return err == nil && len(e.Missing()) == 1 && e.Missing()[0] == duty && overdue(t, metrics) == 1
	})
	named := false
	for _, l := range logs.matching(slog.LevelError, "an erasure is not through in time") {
		named = named || l.attrs["erasure"] == asked.ID && strings.Contains(l.attrs["missing"], duty.String())
	}
	if !named {
		t.Errorf("the log does not name the shard: %v", logs.matching(slog.LevelError, "an erasure is not through in time"))
	}
	eventually(t, "the status says what keeps the shard", func() bool { // in between it is claimed again
		all := s.Projections()
		return len(all) == 1 && all[0].Reason == projector.ReasonErasing
	})
	proof, err := s.Privacy().VerifyErased(bounded(t), "anna")
	if err != nil || proof.Proven() {
		t.Errorf("while a shard owes it is proven: %+v, %v", proof, err)
	}
	mended.Store(true)
	h.await(s, "anna")
	eventually(t, "the alert ends", func() bool { return overdue(t, metrics) == 0 })
	h.wantErased(s, view, "anna", "bert")
	if proof, err = s.Privacy().VerifyErased(bounded(t), "anna"); err != nil || !proof.Proven() {
		t.Errorf("when it is through the verification gives %+v, %v", proof, err)
	}
}
