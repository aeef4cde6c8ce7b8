package muster_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed-3eec0498/muster"
)

// anyCommand draws what callers may send: valid and invalid, new ids and used ones, on few aggregates, so that they meet.
func anyCommand(t *rapid.T) muster.Command {
	verbs := []string{
		"open", "deposit", "deposit", "withdraw", "withdraw", "split", "explode", "spoil", "foreign", "busy", "look", "nosuch", "balance", "huge",
		"transfer", "notify", "reject", "stumble",
	}
	cmd := command(rapid.SampledFrom(verbs).Draw(t, "verb"), rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "aggregate"),
		fmt.Sprint("id-", rapid.IntRange(0, 25).Draw(t, "id")),
		order{Amount: float64(rapid.IntRange(0, 3).Draw(t, "amount")), Times: rapid.IntRange(0, 3).Draw(t, "times")})
	cmd.Partition = int32(rapid.IntRange(0, 1).Draw(t, "partition"))
	switch rapid.IntRange(0, 12).Draw(t, "trouble") {
	case 0:
		cmd.Payload = []byte("{")
	case 1:
		cmd.Deadline = epoch.Add(-1e12)
	case 2:
		cmd.Fault = &muster.Error{Code: muster.InvalidArgument, Reason: muster.ReasonBadRecord}
	case 3, 4:
		cmd.Expected = muster.ExactRevision(uint64(rapid.IntRange(0, 3).Draw(t, "expected")))
	}
	return cmd
}

// drawn is a testing.TB whose failures are rapid's, so that they are made small; the rest is the outer test's.
type drawn struct {
	testing.TB
	t *rapid.T
}

func (d drawn) Helper()                           { d.t.Helper() }
func (d drawn) Fatalf(format string, args ...any) { d.t.Fatalf(format, args...) }
func (d drawn) Fatal(args ...any)                 { d.t.Fatal(args...) }
func (d drawn) Errorf(format string, args ...any) { d.t.Errorf(format, args...) }

// Replaying the journal gives the very states and answers that the owner stored, whatever commands came, in whatever batches and slices,
// with aborts and restarts between them (G4, G5).
func TestReplayEqualsLiveFold(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(drawn{t, rt}, newBank().behaviour())
		w.config.Residents = rapid.IntRange(1, 4).Draw(rt, "residents")
		w.restart()
		written := map[string]bool{}
		for range rapid.IntRange(1, 8).Draw(rt, "batches") {
			w.slice = rapid.IntRange(0, 4).Draw(rt, "slice")
			batch := w.batch(rapid.SliceOfN(rapid.Custom(anyCommand), 1, 8).Draw(rt, "commands")...)
			round, decision := w.decide(batch, nil)
			for range rapid.IntRange(0, 2).Draw(rt, "aborts") {
				first := *decision
				w.journal.aborted(decision.Events)
				round.Abort()
				batch.Attempt++
				if round, decision = w.decide(batch, nil); !sameEvents(first.Events, decision.Events) || !sameCommands(first.Commands, decision.Commands) || len(first.Dead) != len(decision.Dead) {
					rt.Fatalf("decided again, but not the same:\n%s\n%s", describeDecision(&first), describeDecision(decision))
				}
			}
			for _, one := range decision.Commands {
				id := fmt.Sprint(one.Origin, "/", one.Command.ID) // ids are derived from the cause's, which the draw repeats in both partitions
				if written[id] {
					rt.Fatalf("command %s is written twice", one.Command.ID)
				}
				written[id] = true
			}
			if f := w.commit(round, decision); len(f.gaps) != 0 {
				rt.Fatalf("gaps %v without a foreign writer", f.gaps)
			} else if len(f.replies) != len(batch.Commands) {
				rt.Fatalf("%d replies to %d commands", len(f.replies), len(batch.Commands))
			}
			if rapid.IntRange(0, 3).Draw(rt, "restart") == 0 {
				w.restart()
			}
		}
		gapless(rt, w.journal)
		live := w.store
		w.rebuild(rapid.IntRange(1, 5).Draw(rt, "stretch"))
		sameStores(rt, live, w.store, eventAnswers)
	})
}

// gapless holds a journal against G4: revisions 1..n in log order, the events of a command side by side, each command at most once.
func gapless(t *rapid.T, j *journal) {
	for _, partition := range slices.Sorted(maps.Keys(j.events)) {
		revisions, commands := map[string]uint64{}, map[string]int{}
		for i := range j.events[partition] {
			e := &j.events[partition][i]
			if revisions[e.AggregateID]++; e.Revision != revisions[e.AggregateID] {
				t.Fatalf("partition %d: %s of %s has revision %d, want %d", partition, e.ID, e.AggregateID, e.Revision, revisions[e.AggregateID])
			}
			if e.Index != commands[e.CausationID] {
				t.Fatalf("partition %d: %s has index %d, want %d: a command took effect twice or not as a whole", partition, e.ID, e.Index, commands[e.CausationID])
			}
			if commands[e.CausationID]++; e.Index > 0 && j.events[partition][i-1].CausationID != e.CausationID {
				t.Fatalf("partition %d: %s does not follow the event before it", partition, e.ID)
			}
			if e.Last() != (e.Answer != nil) {
				t.Fatalf("partition %d: %s: last %v, answer %v", partition, e.ID, e.Last(), e.Answer != nil)
			}
		}
	}
}

// Slices change nothing: not the outcomes, not the events, not what is stored.
func TestSlicesNeverShow(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		tb := drawn{t, rt}
		one, other := newWorld(tb, newBank().behaviour()), newWorld(tb, newBank().behaviour())
		other.config.Residents = 1
		other.restart()
		for range rapid.IntRange(1, 3).Draw(rt, "batches") {
			commands := rapid.SliceOfN(rapid.Custom(anyCommand), 1, 10).Draw(rt, "commands")
			other.slice = rapid.IntRange(1, 5).Draw(rt, "slice")
			same(rt, one.do(slices.Clone(commands)...), other.do(slices.Clone(commands)...))
			sameStores(rt, one.store, other.store, allAnswers)
		}
	})
}

// Batches change nothing either: commands decided together end as they do one by one, times and places apart. An id stays with one
// aggregate here; TestIDIsFreeUntilItHasALastingAnswer has the rest.
func TestBatchesNeverShow(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		tb := drawn{t, rt}
		together, apart := newWorld(tb, newBank().behaviour()), newWorld(tb, newBank().behaviour())
		commands := rapid.SliceOfN(rapid.Custom(anyCommand), 1, 12).Draw(rt, "commands")
		for n := range commands {
			commands[n].ID += "-" + commands[n].AggregateID
		}
		f := together.do(slices.Clone(commands)...)
		for n, cmd := range commands {
			got, want := f.replies[n].Outcome, apart.do(cmd).replies[0].Outcome
			if got.Code != want.Code || got.Reason != want.Reason || got.Revision != want.Revision || got.Repeated != want.Repeated || string(got.Payload) != string(want.Payload) {
				rt.Errorf("%s(%s, id=%s): together %s %s revision=%d repeated=%v, apart %s %s revision=%d repeated=%v", cmd.Type, cmd.AggregateID, cmd.ID,
					got.Code, got.Reason, got.Revision, got.Repeated, want.Code, want.Reason, want.Revision, want.Repeated)
			}
		}
	})
}

func same(t *rapid.T, a, b *effects) {
	if !sameEvents(a.decision.Events, b.decision.Events) || !sameCommands(a.decision.Commands, b.decision.Commands) || len(a.decision.Dead) != len(b.decision.Dead) {
		t.Fatalf("decisions differ:\n%s\n%s", describeDecision(a.decision), describeDecision(b.decision))
	}
	for n := range a.replies {
		x, y := a.replies[n], b.replies[n]
		if x.CommandID != y.CommandID || string(x.Outcome.Encode(nil)) != string(y.Outcome.Encode(nil)) {
			t.Fatalf("answers to %s differ:\n%+v\n%+v", x.CommandID, x.Outcome, y.Outcome)
		}
	}
}
