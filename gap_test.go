package muster_test

import (
	"slices"
	"testing"

	"github.com/seed-3eec0498/muster"
)

// With rotation a marker may come late: the next transaction's events lie before it, or after it. Both are this owner's own records.
func TestLateMarkersAreNoGap(t *testing.T) {
	w := newWorld(t, newBank().Account.Behaviour())
	opened(w, "acc-1")
	for n, offset := range []int64{1, 2, 5, 6, 8, 11} { // markers of the opening and of these: at 3, 4, 7, 9, 10, 12
		round, decision := w.decide(w.batch(command("deposit", "acc-1", "c"+string(rune('0'+n)), order{Amount: 1})), nil)
		decision.Events[0].Topic, decision.Events[0].Offset = "accounts.events", offset
		changes, _, gaps := round.Settle()
		if len(gaps) != 0 {
			t.Errorf("event at %d: gap in %v", offset, gaps)
		}
		w.keep(changes)
	}
}

// Offsets never go back, not even after an abort.
func TestEventBelowTheKnownEndIsStrange(t *testing.T) {
	for name, aborted := range map[string]bool{"after a commit": false, "after an abort": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, newBank().Account.Behaviour())
			opened(w, "acc-1", "acc-2")
			batch := w.batch(command("deposit", "acc-1", "c1", order{Amount: 1}))
			if aborted {
				round, _ := w.decide(batch, nil)
				round.Abort()
			}
			round, decision := w.decide(batch, nil)
			decision.Events[0].Topic, decision.Events[0].Offset = "accounts.events", 1
			if _, _, gaps := round.Settle(); !slices.Equal(gaps, []int32{0}) {
				t.Errorf("gaps %v, want partition 0", gaps)
			}
		})
	}
}

// After a gap the partition is read again: from where it was stored, every event of the journal must be found, the foreign one too.
func TestForeignEventIsFoldedAfterAGap(t *testing.T) {
	w := newWorld(t, newBank().Account.Behaviour())
	opened(w, "acc-1")
	foreign := []muster.Event{{
		Meta:    muster.Meta{ID: "f/0", Type: "Opened", Group: "accounts", AggregateID: "acc-9", Revision: 1, Time: epoch, CausationID: "f", ContentType: muster.ContentJSON},
		Payload: []byte(`{"text":"foreign"}`), Count: 1,
	}}
	w.journal.append(foreign)
	w.journal.markers(foreign)
	f := w.do(command("deposit", "acc-1", "c1", order{Amount: 1}))
	if !slices.Equal(f.gaps, []int32{0}) {
		t.Fatalf("gaps %v, want partition 0", f.gaps)
	}
	w.restart()
	w.take(0)
	if state, revision := w.state("acc-9"); revision != 1 || len(state.Notes) != 1 {
		t.Errorf("the foreign event was stepped over: acc-9 is %+v at revision %d; what is stored must not reach beyond the gap", state, revision)
	}
	if state, revision := w.state("acc-1"); revision != 2 || state.Balance != 1 {
		t.Errorf("acc-1 is %+v at revision %d", state, revision)
	}
}

// A round without events in a partition says how far the journal is known, and no more.
func TestSettleTellsWhatIsKnown(t *testing.T) {
	w := newWorld(t, newBank().Account.Behaviour())
	opened(w, "acc-1")
	f := w.do(command("balance", "acc-1", "q1", order{}), command("withdraw", "acc-1", "c1", order{Amount: 9}))
	if len(f.changes) != 1 || f.changes[0].Next != 1 || f.changes[0].LastEvent != "" || len(f.changes[0].States) != 0 || !f.changes[0].Time.Equal(w.now) {
		t.Errorf("got %+v", f.changes)
	}
	f = w.do(command("deposit", "acc-1", "c2", order{Amount: 9}))
	if c := f.changes[0]; c.Next != 3 || c.LastEvent != "c2/0" || c.LastAt != 2 {
		t.Errorf("got %+v", c)
	}
}
