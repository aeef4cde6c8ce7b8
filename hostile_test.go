package muster_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/seed-3eec0498/muster"
)

// hostile is a state whose JSON methods panic on demand, as a user's may.
type hostile struct{ Text string }

func (h hostile) MarshalJSON() ([]byte, error) {
	if h.Text == "panic" {
		panic("secret")
	}
	return json.Marshal(h.Text)
}

func (h *hostile) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, &h.Text); err != nil {
		return err
	}
	if h.Text == "trap" {
		panic("secret")
	}
	return nil
}

// A state whose encoding panics refuses its command alone; one whose decoding panics fails the round. Neither ends the process.
func TestPanicOfTheStatesOwnMethods(t *testing.T) {
	g := muster.NewGroup("accounts")
	set := muster.NewCommand[order, muster.Raw](g, "set")
	changed := muster.NewEvent[moved](g, "Changed")
	a := muster.NewAggregate(g, func() hostile { return hostile{} })
	muster.Decide(a, set, func(_ context.Context, root *muster.Root[hostile], in order) (muster.Raw, error) {
		changed.Emit(root, moved{Text: in.Text})
		return nil, nil
	})
	muster.Evolve(a, changed, func(_ hostile, e moved) hostile { return hostile{Text: e.Text} })
	w := newWorld(t, a.Behaviour())
	run := func(commands ...muster.Command) (round *muster.Round) {
		t.Helper()
		defer func() {
			if v := recover(); v != nil {
				t.Errorf("the panic reaches the engine's goroutine: %v", v)
			}
		}()
		round, err := w.p.Begin(w.batch(commands...), nil)
		if err != nil {
			t.Fatal(err)
		}
		w.run(round.Slice(len(commands)))
		return round
	}
	round := run(command("set", "x", "c1", order{Text: "fine"}), command("set", "x", "c2", order{Text: "panic"}))
	if t.Failed() {
		return // the unit did not end
	}
	if err := round.Err(); err != nil {
		t.Fatal(err)
	}
	f := w.commit(round, round.Decision())
	if f.outcome(t, "c1", 0).Code != muster.OK || f.outcome(t, "c2", 0).Code != muster.Internal {
		t.Errorf("got %s", describeDecision(f.decision))
	}
	w.do(command("set", "x", "c4", order{Text: "trap"}))
	w.restart()
	if round := run(command("set", "x", "c5", order{Text: "fine"})); !t.Failed() {
		if _, ok := errors.AsType[*muster.StateFault](round.Err()); !ok {
			t.Errorf("got %v, want a StateFault", round.Err())
		}
	}
}
