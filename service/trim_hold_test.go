package service_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/service"
)

// A projection of another service has stopped with events to read: a trim that is told of that service leaves them, says for whom, and takes them when they are
// applied. When nobody says how far the projection is, nothing is trimmed.
func TestTrimWaitsForProjections(t *testing.T) {
	st, _, s := trimmable(t)
	var seen atomic.Int64
	var mended atomic.Bool
	totals := projector.NewView[balance]("totals", projector.OnFailure(projector.Policy{Tries: 1, Then: projector.Stop}))
	projector.On(totals, st.credited, func(_ context.Context, rows *projector.Rows[balance], e credited, m muster.Meta) error {
		if !mended.Load() && m.Revision > 4 {
			return errors.New("broken")
		}
		seen.Add(1)
		return rows.Update(m.AggregateID, func(t balance) balance { return balance{t.Sum + e.Amount, t.Events + 1} })
	})
	views := service.Config{Name: st.owners + "-views", Brokers: st.brokers, DataDir: t.TempDir()}
	worker := start(t, views, totals)
	eventually(t, "the shard has stopped", func() bool {
		all, err := worker.Operator().Status(bounded(t), projector.Scope{Projection: "totals"})
		return err == nil && len(all) == 1 && all[0].State == projector.Stopped
	})
	holding := old()
	holding.HoldFor = []string{views.Name}
	dry := holding
	dry.DryRun = true
	would, err := s.Trim(bounded(t), st.group, dry)
	if err != nil {
		t.Fatal(err)
	}
	done, err := s.Trim(bounded(t), st.group, holding)
	if err != nil || done.Events == 0 || done.Events >= 50 || done.Events != would.Events || done.Held[0].Projection != "totals@1" {
		t.Fatalf("with a projection that stopped after the 4th event of an account: %+v, %v; the dry run said %d", done, err, would.Events)
	}
	gone, _ := st.removed()
	for key := range gone {
		if key.Revision > 5 { // the accounts take turns
			t.Errorf("%v was removed and is not applied", key)
		}
	}
	mended.Store(true)
	if err := worker.Operator().Resume(bounded(t), projector.Scope{Projection: "totals"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all that is old goes", func() bool {
		more, err := s.Trim(bounded(t), st.group, holding)
		if err != nil {
			t.Fatal(err)
		}
		done.Events += more.Events
		return done.Events == 50
	})
	all := balance{}
	for row, err := range totals.All(bounded(t), worker.Views()) {
		if err != nil {
			t.Fatal(err)
		}
		all.Events += row.Value.Events
	}
	if all.Events != 60 {
		t.Errorf("the view has %d events of 60", all.Events)
	}

	worker.end()
	if _, err := s.Trim(bounded(t), st.group, holding); muster.CodeOf(err) != muster.FailedPrecondition {
		t.Errorf("when nobody says how far it is: %v", err)
	}
	holding.HoldFor = []string{"no such service"}
	if _, err := s.Trim(bounded(t), st.group, holding); muster.CodeOf(err) != muster.InvalidArgument {
		t.Errorf("a name that is none: %v", err)
	}
	holding.HoldFor = []string{"nobody"}
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := s.Trim(short, st.group, holding); err == nil {
		t.Error("a service that never was holds nothing back")
	}
}

// A projection that nobody held the trim for begins in what is left: it stops with the reason trimmed, says so to operators, and
// goes on with what there is when an operator accepts the gap.
func TestAProjectionBeginsInATrimmedJournal(t *testing.T) {
	st, _, s := trimmable(t)
	if done, err := s.Trim(bounded(t), st.group, old()); err != nil || done.Events != 50 {
		t.Fatalf("%+v, %v", done, err)
	}
	var seen atomic.Int64
	late := projector.NewView[balance]("late")
	projector.On(late, st.credited, func(_ context.Context, rows *projector.Rows[balance], e credited, m muster.Meta) error {
		seen.Add(1)
		return rows.Update(m.AggregateID, func(t balance) balance { return balance{t.Sum + e.Amount, t.Events + 1} })
	})
	worker := start(t, service.Config{Name: st.owners + "-late", Brokers: st.brokers, DataDir: t.TempDir()}, late)
	var stopped []projector.Status
	eventually(t, "the shard has stopped", func() bool {
		var err error
		stopped, err = worker.Operator().Status(bounded(t), projector.Scope{Projection: "late"})
		return err == nil && len(stopped) == 1 && stopped[0].State == projector.Stopped
	})
	if is := stopped[0]; is.Reason != projector.ReasonTrimmed || is.Error == "" || seen.Load() != 0 {
		t.Errorf("it stopped with %q (%s) after %d events", is.Reason, is.Error, seen.Load())
	}
	if err := worker.Operator().Resume(bounded(t), projector.Scope{Projection: "late"}); err != nil {
		t.Fatal(err)
	}
	ends, err := worker.JournalEnd(bounded(t), st.group)
	if err != nil {
		t.Fatal(err)
	}
	for _, end := range ends {
		if err := worker.AwaitView(bounded(t), "late", 0, end); err != nil {
			t.Fatal(err)
		}
	}
	if seen.Load() < 10 { // those that were trimmed are there until compaction takes them
		t.Errorf("it applied %d events; 10 were not trimmed", seen.Load())
	}
}
