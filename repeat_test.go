package muster_test

import (
	"errors"
	"testing"

	"github.com/seed-3eec0498/muster"
)

// How a batch is cut must not show: an id that got no lasting answer is free for another aggregate, in the same batch as in the next.
func TestIDIsFreeUntilItHasALastingAnswer(t *testing.T) {
	for name, first := range map[string]muster.Command{
		"poison": command("nosuch", "acc-1", "x", order{}),
		"query":  command("balance", "acc-1", "x", order{}),
		"busy":   command("busy", "acc-1", "x", order{}),
		"expired": func() muster.Command {
			c := command("deposit", "acc-1", "x", order{})
			c.Deadline = epoch.Add(-1e12)
			return c
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			second := command("deposit", "acc-2", "x", order{Amount: 1})
			apart := newWorld(t, newBank().Account.Behaviour())
			opened(apart, "acc-1", "acc-2")
			apart.do(first)
			want := apart.do(second).outcome(t, "x", 0)

			together := newWorld(t, newBank().Account.Behaviour())
			opened(together, "acc-1", "acc-2")
			if got := together.do(first, second).outcome(t, "x", 1); got.Code != want.Code || got.Reason != want.Reason {
				t.Errorf("in one batch %s %s, in two %s %s", got.Code, got.Reason, want.Code, want.Reason)
			}
		})
	}
}

// A repeat whose first try was poison is executed; so is it when its unit has to be decided again to find a state that cannot be encoded.
func TestRepeatWhileTheCulpritIsLookedFor(t *testing.T) {
	for _, size := range []int{1, 2, 5} {
		w := newWorld(t, newBank().Account.Behaviour())
		opened(w, "acc-1")
		round, err := w.p.Begin(w.batch(
			command("busy", "acc-1", "x", order{}),
			command("deposit", "acc-1", "x", order{Amount: 1}), command("spoil", "acc-1", "s", order{}),
			command("deposit", "acc-1", "x", order{Amount: 1}), command("deposit", "acc-1", "x", order{Amount: 1})), nil)
		if err != nil {
			t.Fatal(err)
		}
		within(t, "a batch with a repeated id and a state that cannot be encoded", func() {
			w.run(round.Slice(size))
			for units := round.Slice(5); len(units) > 0; units = round.Slice(5) {
				w.run(units)
			}
		})
		if err := round.Err(); err != nil {
			t.Fatal(err)
		}
		f := w.commit(round, round.Decision())
		for n, want := range []bool{false, false, true, true} {
			if o := f.outcome(t, "x", n); o.Repeated != want || n > 0 && o.Code != muster.OK {
				t.Errorf("slice of %d: answer %d is %+v, want repeated=%v", size, n, o, want)
			}
		}
		if o := f.outcome(t, "s", 0); o.Reason != muster.ReasonBadResult {
			t.Errorf("slice of %d: the culprit got %+v", size, o)
		}
		if state, revision := w.state("acc-1"); state.Balance != 1 || revision != 2 {
			t.Errorf("slice of %d: %+v at revision %d", size, state, revision)
		}
	}
}

// The answer of a repeat is the original one in every part, from the batch, from the store and from the journal.
func TestRepeatIsTheOriginalAnswer(t *testing.T) {
	w := newWorld(t, newBank().Account.Behaviour())
	opened(w, "acc-1")
	cmd := command("split", "acc-1", "c1", order{Amount: 2, Times: 3})
	f := w.do(cmd, command("deposit", "acc-1", "c2", order{Amount: 1}), cmd)
	want := *f.outcome(t, "c1", 0)
	if want.Repeated || want.Position.Offset != 4 || want.Position.Topic != "accounts.events" || want.Revision != 4 {
		t.Fatalf("the original: %+v", want)
	}
	kept, err := muster.DecodeOutcome(f.changes[0].Answers[0].Outcome)
	if err != nil || kept.Revision != 0 || !kept.Position.IsZero() || kept.Repeated {
		t.Errorf("revision and position are the record's to tell, but the stored answer has them: %+v, %v", kept, err)
	}
	check := func(where string, got muster.Outcome) {
		t.Helper()
		if !got.Repeated {
			t.Errorf("%s: not told to be a repeat", where)
		}
		got.Repeated = false
		if string(got.Encode(nil)) != string(want.Encode(nil)) {
			t.Errorf("%s: got %+v, want %+v", where, got, want)
		}
	}
	check("same batch", *f.outcome(t, "c1", 1))
	check("next batch", *w.do(cmd).outcome(t, "c1", 0))
	w.restart()
	check("restart", *w.do(cmd).outcome(t, "c1", 0))
	w.rebuild(1)
	check("rebuild", *w.do(cmd).outcome(t, "c1", 0))
	if state, revision := w.state("acc-1"); state.Balance != 7 || revision != 5 {
		t.Errorf("%+v at revision %d", state, revision)
	}
}

// A stored answer that cannot be read is not taken for no answer: that would execute the command twice.
func TestCorruptAnswerFailsTheRound(t *testing.T) {
	w := newWorld(t, newBank().Account.Behaviour())
	opened(w, "acc-1")
	answer := w.store.answers[storeKey(0, "open-acc-1")]
	answer.Outcome = []byte{0xff}
	w.store.answers[storeKey(0, "open-acc-1")] = answer
	round, err := w.p.Begin(w.batch(command("open", "acc-1", "open-acc-1", order{})), nil)
	if err != nil {
		t.Fatal(err)
	}
	w.run(round.Slice(1))
	if round.Err() == nil {
		t.Error("the round goes on")
	}
}

// A refusal tells the aggregate's revision or none: never one of an attempt that was dropped.
func TestRefusalTellsNoRevisionOfADroppedAttempt(t *testing.T) {
	w := newWorld(t, newBank().Account.Behaviour())
	opened(w, "acc-1")
	f := w.do(
		command("busy", "acc-1", "x", order{}),                                                      // revision 1
		command("spoil", "acc-1", "s", order{}), command("deposit", "acc-1", "d", order{Amount: 1}), // at first revisions 2 and 3, then refused and 2
		command("deposit", "acc-1", "e", order{Amount: 1}), command("deposit", "acc-1", "d", order{Amount: 7}))
	if o := f.outcome(t, "d", 1); o.Reason != muster.ReasonIDReused || o.Revision != 0 && o.Revision != 3 {
		t.Errorf("got %s at revision %d, want none or that of the aggregate, 3", o.Reason, o.Revision)
	}
	batch := w.batch(command("deposit", "acc-1", "f", order{Amount: 1}), command("explode", "acc-1", "g", order{}), command("withdraw", "acc-1", "h", order{Amount: 99}))
	round, _ := w.decide(batch, nil)
	round.Abort()
	late := batch.Commands[1]
	late.Deadline = epoch.Add(-1e12)
	if o := w.do(late).outcome(t, "g", 0); o.Reason != muster.ReasonExpired || o.Revision != 0 && o.Revision != 3 {
		t.Errorf("got %s at revision %d, want none or that of the aggregate, 3", o.Reason, o.Revision)
	}
}

// The culprit of an aborted transaction is one command of one partition; ids are unique per partition only.
func TestCulpritIsOneCommand(t *testing.T) {
	w := newWorld(t, newBank().Account.Behaviour())
	elsewhere := command("open", "acc-1", "c1", order{})
	elsewhere.Partition = 1
	round, decision := w.decide(w.batch(command("open", "acc-1", "c1", order{}), elsewhere),
		map[string]*muster.RecordFault{"c1": {CommandID: "c1", Partition: 1, Cause: errors.New("too large")}})
	w.commit(round, decision)
	if len(decision.Events) != 1 || decision.Events[0].Partition != 0 || len(decision.Dead) != 1 || decision.Dead[0].Command.Partition != 1 {
		t.Errorf("got\n%s", describeDecision(decision))
	}
}
