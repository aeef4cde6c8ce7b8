package service_test

import (
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

// A shard has stopped because nothing can be done with what is stored of it, here for an index that does not bear its rows. Nobody can redact these rows, so it
// owes its acknowledgement, the alert names it, and a verification says that it was not looked into. On a build that can use them it carries the erasure
// out and acknowledges by itself.
func TestErasureWithAShardThatCannotBeUsed(t *testing.T) {
	h := newErasureHouse(t, oneErasurePartition)
	dir := t.TempDir()
	view := h.view()
	s := h.start(dir, nil, h.owner(), view)
	h.signsUp(s, "anna", "Anna", muster.WaitFor(view))
	h.signsUp(s, "bert", "Bert", muster.WaitFor(view))
	s.end()

	logs, metrics := newLines(), prometheus.NewRegistry()
	h.alter = func(c *service.Config) {
		c.Logger, c.Metrics, c.Erasure.Patience, c.Erasure.Look = slog.New(logs), metrics, time.Nanosecond, 10*time.Millisecond
	}
	broken := h.view()
	projector.Index(broken, "city", func(string, *peoplepb.Person) []string { panic("no such city") })
	s = h.start(dir, nil, h.owner(), broken)
	stopped := func() bool {
		all := s.Projections()
		return len(all) == 1 && all[0].State == projector.Stopped && all[0].Reason == projector.ReasonStore
	}
	eventually(t, "the shard stops", stopped)
	asked, err := s.Privacy().Erase(bounded(t), "anna", "gdpr-17", "desk")
	if err != nil {
		t.Fatal(err)
	}
	duty := crypto.Duty{Service: h.name, Kind: crypto.DutyProjection, Name: h.name + "@1", Partition: 0}
	eventually(t, "nobody but the shard owes, and the alert says so", func() bool {
		e, err := s.Privacy().Status(bounded(t), "anna")
		return err == nil && e.State == crypto.ErasurePropagating && len(e.Missing()) == 1 && e.Missing()[0] == duty && overdue(t, metrics) == 1
	})
	named := false
	for _, l := range logs.matching(slog.LevelError, "an erasure is not through in time") {
		named = named || l.attrs["erasure"] == asked.ID && strings.Contains(l.attrs["missing"], duty.String())
	}
	if !named {
		t.Errorf("the log does not name the shard: %v", logs.matching(slog.LevelError, "an erasure is not through in time"))
	}
	if !stopped() {
		t.Errorf("the erasure has changed what the shard says: %+v", s.Projections())
	}
	proof, err := s.Privacy().VerifyErased(bounded(t), "anna")
	if err != nil || proof.Proven() || len(proof.Unseen) != 1 || proof.Unseen[0] != (service.Unseen{Duty: duty, Why: string(projector.Stopped)}) {
		t.Errorf("while a shard cannot be looked into the verification gives %+v, %v", proof, err)
	}
	s.end()

	mended := h.view()
	projector.Index(mended, "city", func(_ string, row *peoplepb.Person) []string { return []string{row.City} })
	s = h.start(dir, nil, h.owner(), mended)
	h.await(s, "anna")
	eventually(t, "the alert ends", func() bool { return overdue(t, metrics) == 0 })
	h.wantErased(s, mended, "anna", "bert")
	eventually(t, "it is proven", func() bool {
		proof, err := s.Privacy().VerifyErased(bounded(t), "anna")
		return err == nil && proof.Proven()
	})
}
