package muster_test

import (
	"context"
	"fmt"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/seed-3eec0498/muster"
)

// A batch decided again after an abort makes the same events, byte for byte, and the same answers.
func TestDecidedAgainIsTheSame(t *testing.T) {
	w := newWorld(t, newBank().Account.Behaviour())
	opened(w, "acc-1", "acc-2")
	batch := w.batch(
		command("deposit", "acc-1", "c1", order{Amount: 1}), command("split", "acc-2", "c2", order{Amount: 2, Times: 3}),
		command("withdraw", "acc-1", "c3", order{Amount: 5}), command("nosuch", "acc-1", "c4", order{}),
		command("open", "acc-3", "c5", order{}), command("deposit", "acc-1", "c1", order{Amount: 1}),
		command("explode", "acc-2", "c6", order{}), command("deposit", "acc-2", "c7", order{Amount: 4}))
	var first *muster.Decision
	for attempt := 1; attempt <= 3; attempt++ {
		batch.Attempt = attempt
		w.slice = attempt // neither the attempt nor the slices show
		round, decision := w.decide(batch, nil)
		if first == nil {
			kept := *decision
			first = &kept
			w.journal.aborted(decision.Events)
			round.Abort()
			continue
		}
		if !sameEvents(first.Events, decision.Events) || len(first.Dead) != len(decision.Dead) || fmt.Sprint(first.Offsets) != fmt.Sprint(decision.Offsets) {
			t.Errorf("attempt %d differs:\n%s\n%s", attempt, describeDecision(first), describeDecision(decision))
		}
		if attempt < 3 {
			w.journal.aborted(decision.Events)
			round.Abort()
			continue
		}
		f := w.commit(round, decision)
		if o := f.outcome(t, "c1", 0); o.Repeated || o.Revision != 2 {
			t.Errorf("an aborted attempt is remembered: %+v", o)
		}
	}
}

// Same state, same bytes: a store, a retry's fingerprint and a replay are compared byte for byte, maps in messages included.
func TestEncodingIsDeterministic(t *testing.T) {
	encode := func() string {
		fields := map[string]any{}
		for n := range 20 {
			fields[fmt.Sprint("key-", n)] = float64(n)
		}
		s, err := structpb.NewStruct(fields)
		if err != nil {
			t.Fatal(err)
		}
		data, _, err := muster.PlainCodec{}.Encode(nil, muster.Place{}, s)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	first := encode()
	for range 50 {
		if encode() != first {
			t.Fatal("the same message encodes to different bytes: a retry would be refused as another command")
		}
	}
}

// What an aborted batch did is gone from every aggregate it touched, and from none else.
func TestAbortForgetsOnlyItsBatch(t *testing.T) {
	w := newWorld(t, newBank().Account.Behaviour())
	opened(w, "acc-1", "acc-2", "acc-3")
	w.do(command("deposit", "acc-2", "c1", order{Amount: 7}))
	for _, slice := range []int{0, 1} {
		w.slice = slice
		round, _ := w.decide(w.batch(
			command("deposit", "acc-1", "a1", order{Amount: 100}), command("withdraw", "acc-1", "a2", order{Amount: 50}),
			command("withdraw", "acc-2", "a3", order{Amount: 500}), command("open", "acc-4", "a4", order{}), command("deposit", "acc-1", "a5", order{Amount: 1})), nil)
		round.Abort()
		f := w.do(command("balance", "acc-1", "q1", order{}), command("balance", "acc-2", "q2", order{}), command("balance", "acc-4", "q4", order{}))
		if a := decoded(t, f.outcome(t, "q1", 0)); a.Balance != 0 || a.Entries != 1 {
			t.Errorf("acc-1 after the abort: %+v", a)
		}
		if a := decoded(t, f.outcome(t, "q2", 0)); a.Balance != 7 || a.Entries != 2 {
			t.Errorf("acc-2 after the abort: %+v", a)
		}
		if o := f.outcome(t, "q4", 0); o.Code != muster.NotFound {
			t.Errorf("acc-4 after the abort: %+v", o)
		}
	}
}

// A round that failed or was given back before its decision leaves nothing either.
func TestAbortBeforeTheDecision(t *testing.T) {
	w := newWorld(t, newBank().Account.Behaviour())
	opened(w, "acc-1")
	round, err := w.p.Begin(w.batch(command("deposit", "acc-1", "c1", order{Amount: 1}), command("deposit", "acc-1", "c2", order{Amount: 1})), nil)
	if err != nil {
		t.Fatal(err)
	}
	w.run(round.Slice(1))
	round.Slice(1) // handed out and never run
	round.Abort()
	f := w.do(command("deposit", "acc-1", "c1", order{Amount: 1}))
	if a := decoded(t, f.outcome(t, "c1", 0)); a.Balance != 1 || f.decision.Events[0].Revision != 2 {
		t.Errorf("after the abort: %+v", a)
	}
}

// The fold of a command in hand sees what the journal will give back, not what the handler does to its value afterwards.
func TestEmittedValueIsWhatIsWritten(t *testing.T) {
	g := muster.NewGroup("lists")
	add := muster.NewCommand[order, muster.Raw](g, "add")
	added := muster.NewEvent[*structpb.ListValue](g, "Added")
	a := muster.NewAggregate(g, func() *structpb.ListValue { return &structpb.ListValue{} })
	muster.Decide(a, add, func(_ context.Context, root *muster.Root[*structpb.ListValue], _ order) (muster.Raw, error) {
		e := &structpb.ListValue{Values: []*structpb.Value{structpb.NewStringValue("first")}}
		added.Emit(root, e)
		e.Values[0] = structpb.NewStringValue("second") // a loop that uses one message for all its events
		added.Emit(root, e)
		return nil, nil
	})
	muster.Evolve(a, added, func(s, e *structpb.ListValue) *structpb.ListValue {
		s.Values = append(s.Values, structpb.NewListValue(e)) // keeps a part of the event
		return s
	})
	agreesWithItsJournal(t, a.Behaviour(), "lists", "add")
}

// A field that does not travel is not folded either: else the owner's state is one that no journal explains.
func TestFoldSeesOnlyWhatTravels(t *testing.T) {
	type note struct {
		Text   string   `json:"text"`
		Hidden string   `json:"-"`
		Lines  []string `json:"lines,omitempty"`
	}
	type notes struct {
		All []note
		Raw []string `json:"raw"`
		Sum string
	}
	g := muster.NewGroup("notes")
	add := muster.NewCommand[order, muster.Raw](g, "add")
	added := muster.NewEvent[note](g, "Added")
	a := muster.NewAggregate(g, func() notes { return notes{} })
	muster.Decide(a, add, func(_ context.Context, root *muster.Root[notes], _ order) (muster.Raw, error) {
		added.Emit(root, note{Text: "text", Hidden: "hidden", Lines: []string{}})
		return nil, nil
	})
	muster.Evolve(a, added, func(s notes, e note) notes {
		s.All, s.Raw, s.Sum = append(s.All, e), e.Lines, s.Sum+e.Hidden
		return s
	})
	agreesWithItsJournal(t, a.Behaviour(), "notes", "add")
}

// agreesWithItsJournal decides one command and holds what is stored against a replay of the journal.
func agreesWithItsJournal(t *testing.T, behaviour *muster.Behaviour, group, name string) {
	t.Helper()
	w := newWorld(t, behaviour)
	cmd := command(name, "x", "c1", order{})
	cmd.Group = group
	if o := w.do(cmd).outcome(t, "c1", 0); o.Code != muster.OK {
		t.Fatalf("%s: %s", o.Code, o.Message)
	}
	live := w.store.states[storeKey(0, "x")]
	w.rebuild(10)
	if replayed := w.store.states[storeKey(0, "x")]; string(replayed.Data) != string(live.Data) || replayed.Revision != live.Revision {
		t.Errorf("the state in use is not the fold of the journal:\nlive     %q\nreplayed %q", live.Data, replayed.Data)
	}
}
