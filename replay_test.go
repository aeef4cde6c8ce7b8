package muster_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/seed-3eec0498/muster"
)

// written makes a journal of three events of acc-1 and two of acc-2 and gives the world that wrote it.
func written(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, newBank().Account.Behaviour())
	opened(w, "acc-1", "acc-2")
	w.do(command("split", "acc-1", "c1", order{Amount: 10, Times: 2}), command("deposit", "acc-2", "c2", order{Amount: 5}))
	return w
}

func TestReplayRefusesWhatItCannotFold(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(events []muster.Event) []muster.Event
		at    int64
		text  string
	}{
		"gap":          {func(e []muster.Event) []muster.Event { return slices.Delete(e, 2, 3) }, 5, "revision 3 follows revision 1"},
		"repeat":       {func(e []muster.Event) []muster.Event { e[3].Revision = 2; return e }, 5, "revision 2 follows revision 2"},
		"no first":     {func(e []muster.Event) []muster.Event { return e[1:] }, 4, "revision 2 follows revision 0"},
		"unknown type": {func(e []muster.Event) []muster.Event { e[2].Type = "Renamed"; return e }, 4, "no evolve function"},
		"undecodable":  {func(e []muster.Event) []muster.Event { e[4].Payload = []byte("{secret"); return e }, 6, "Credited"},
		"other format": {func(e []muster.Event) []muster.Event { e[4].ContentType = muster.ContentProtobuf; return e }, 6, "application/protobuf"},
		"fold panics": {func(e []muster.Event) []muster.Event {
			e[3].Type, e[3].Payload = "Noted", []byte(`{"text":"burst"}`)
			return e
		}, 5, "panicked"},
	} {
		t.Run(name, func(t *testing.T) {
			w := written(t)
			w.store = newStore()
			w.restart()
			w.takeUnread(0)
			_, err := w.p.Replay(0, test.spoil(slices.Clone(w.journal.events[0])), w.journal.end[0])
			fault, ok := errors.AsType[*muster.FoldFault](err)
			if !ok {
				t.Fatalf("got %v, want a FoldFault", err)
			}
			if want := (muster.Position{Topic: "accounts.events", Offset: test.at}); fault.Position != want {
				t.Errorf("position %s, want %s", fault.Position, want)
			}
			if !strings.Contains(err.Error(), test.text) || !strings.Contains(err.Error(), fault.Position.String()) || strings.Contains(err.Error(), "secret") {
				t.Errorf("the text must name position and cause, and no payload: %v", err)
			}
			if fault.AggregateID == "" || fault.Revision == 0 || fault.Type == "" {
				t.Errorf("got %+v", fault)
			}
			// only this partition stops
			other := command("open", "acc-9", "p1", order{})
			other.Partition = 1
			if o := w.do(other).outcome(t, "p1", 0); o.Code != muster.OK {
				t.Errorf("another partition: %s", o.Message)
			}
		})
	}
}

// A state that cannot be encoded stops its partition too, and the fault says which journal position to look at.
func TestReplayOfAStateThatCannotBeStored(t *testing.T) {
	w := written(t)
	events := slices.Clone(w.journal.events[0])
	events[3].Type, events[3].Payload = "Noted", []byte(`{"text":"spoiled"}`)
	w.store = newStore()
	w.restart()
	w.takeUnread(0)
	_, err := w.p.Replay(0, events, w.journal.end[0])
	fault, ok := errors.AsType[*muster.FoldFault](err)
	if !ok {
		t.Fatalf("got %v, want a FoldFault", err)
	}
	if want := (muster.Position{Topic: "accounts.events", Offset: 5}); fault.Position != want || fault.AggregateID != "acc-1" || fault.Revision != 3 {
		t.Errorf("got %+v, want position %s of acc-1 at revision 3", fault, want)
	}
}

// Events that the store has already are passed over, however the stretch is cut and however often it is read.
func TestReplayPassesOverWhatIsStored(t *testing.T) {
	w := written(t)
	want := w.store
	for cut := range 6 {
		w.store = newStore()
		w.restart()
		w.takeUnread(0)
		next := w.journal.end[0]
		if cut < 5 {
			next = w.journal.events[0][cut].Offset
		}
		first, err := w.p.Replay(0, slices.Clone(w.journal.events[0][:cut]), next)
		if err != nil {
			t.Fatal(err)
		}
		w.keep([]muster.Changes{first})
		w.restart()
		w.takeUnread(0)
		second, err := w.p.Replay(0, slices.Clone(w.journal.events[0]), w.journal.end[0])
		if err != nil {
			t.Fatalf("read again from the start: %v", err)
		}
		if cut == 5 && (len(second.States) != 0 || len(second.Answers) != 0) {
			t.Errorf("nothing was new, but got %+v", second)
		}
		w.keep([]muster.Changes{second})
		sameStores(t, want, w.store, eventAnswers)
	}
}

// The changes of a replay say up to where it went.
func TestReplayTellsHowFarItWent(t *testing.T) {
	w := written(t)
	w.store = newStore()
	w.restart()
	w.takeUnread(0)
	events := w.journal.events[0]
	c, err := w.p.Replay(0, slices.Clone(events), 99)
	if err != nil {
		t.Fatal(err)
	}
	last := events[len(events)-1]
	if c.Partition != 0 || c.Next != 99 || c.LastEvent != last.ID || c.LastAt != last.Offset || !c.Time.Equal(last.Time) {
		t.Errorf("got %+v", c)
	}
	if len(c.States) != 2 || c.States[0].AggregateID != "acc-1" || c.States[0].Revision != 3 || c.States[0].Offset != 5 || c.States[1].Offset != 6 {
		t.Errorf("states %+v", c.States)
	}
	if len(c.Answers) != 4 { // two opens, c1, c2
		t.Errorf("answers %+v", c.Answers)
	}
}
