package mustertest

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/seed-3eec0498/muster"
)

func statesEmpty(t *testing.T, s muster.States) {
	wantNone(t, s, 0, "acc-1")
	wantUnanswered(t, s, 0, "cmd-1")
	if err := s.Store(t.Context(), nil); err != nil {
		t.Fatalf("storing nothing: %v", err)
	}
	store(t, s, muster.Changes{Partition: 0, Time: suiteTime})
	wantNone(t, s, 0, "acc-1")
}

func statesRoundTrip(t *testing.T, s muster.States) {
	states := []muster.StoredState{
		{AggregateID: "a", Revision: 1, Offset: 0, Data: []byte("one")},
		{AggregateID: "a/", Revision: 2, Offset: 3, Data: []byte{}},
		{AggregateID: "ab", Revision: 3, Offset: 4, Data: bytes.Repeat([]byte{0, 255}, 1<<18)},
		{AggregateID: "größe-☃", Revision: 1<<64 - 1, Offset: 5, Data: []byte{0}},
		{AggregateID: strings.Repeat("x", 200), Revision: 1, Offset: 6, Data: []byte("long id")},
	}
	store(t, s, muster.Changes{Partition: 2, States: states, Next: 7, Time: suiteTime})
	for _, state := range states {
		wantState(t, s, 2, state)
	}
	wantNone(t, s, 2, "b")
	wantNone(t, s, 2, strings.Repeat("x", 199))
}

func statesReplace(t *testing.T, s muster.States) {
	for revision := uint64(1); revision <= 5; revision++ {
		state := muster.StoredState{AggregateID: "acc-1", Revision: revision, Offset: int64(revision), Data: fmt.Append(nil, "at ", revision)}
		store(t, s, muster.Changes{States: []muster.StoredState{state}, Next: int64(revision) + 1, Time: suiteTime})
		wantState(t, s, 0, state)
	}
}

func statesRemove(t *testing.T, s muster.States) {
	store(t, s, muster.Changes{States: []muster.StoredState{
		{AggregateID: "acc-1", Revision: 4, Offset: 1, Data: []byte("gone soon")},
		{AggregateID: "acc-2", Revision: 1, Offset: 2, Data: []byte("stays")},
	}, Next: 3, Time: suiteTime})
	store(t, s, muster.Changes{States: []muster.StoredState{{AggregateID: "acc-1"}, {AggregateID: "never was"}}, Next: 4, Time: suiteTime})
	wantNone(t, s, 0, "acc-1")
	wantNone(t, s, 0, "never was")
	wantState(t, s, 0, muster.StoredState{AggregateID: "acc-2", Revision: 1, Offset: 2, Data: []byte("stays")})
}

func statesApart(t *testing.T, s muster.States) {
	var changes []muster.Changes
	for p := range int32(3) {
		changes = append(changes, muster.Changes{
			Partition: p, Next: int64(p) + 10, Time: suiteTime,
			States:  []muster.StoredState{{AggregateID: "same", Revision: uint64(p) + 1, Offset: int64(p), Data: []byte{byte(p)}}},
			Answers: []muster.Remembered{{CommandID: "same", Revision: uint64(p) + 1, Offset: int64(p), Time: suiteTime, Outcome: []byte{byte(p)}}},
		})
	}
	store(t, s, changes...)
	for p := range int32(3) {
		wantState(t, s, p, muster.StoredState{AggregateID: "same", Revision: uint64(p) + 1, Offset: int64(p), Data: []byte{byte(p)}})
		wantAnswer(t, s, p, muster.Remembered{CommandID: "same", Revision: uint64(p) + 1, Offset: int64(p), Time: suiteTime, Outcome: []byte{byte(p)}})
	}
	wantNone(t, s, 3, "same")
	wantUnanswered(t, s, 3, "same")
}

func statesAnswers(t *testing.T, s muster.States) {
	answers := []muster.Remembered{
		{CommandID: "wrote", Fingerprint: 0xfedcba98, Revision: 7, Offset: 41, Time: suiteTime, Outcome: []byte("outcome")},
		{CommandID: "refused", Revision: 6, Offset: -1, Time: suiteTime.Add(-1e9), Outcome: []byte("no")},
		{CommandID: "too large to keep", Revision: 8, Offset: 1 << 40, Time: suiteTime.Add(1e9)},
		{CommandID: "empty", Revision: 1<<64 - 1, Offset: 0, Time: suiteTime, Outcome: []byte{}},
		{CommandID: strings.Repeat("i", 64), Offset: -1, Time: suiteTime, Outcome: bytes.Repeat([]byte("o"), 64<<10)},
		{CommandID: "@3/17", Offset: -1, Time: suiteTime, Outcome: []byte{0}},
	}
	store(t, s, muster.Changes{Partition: 1, Answers: answers, Next: 50, Time: suiteTime})
	for _, a := range answers {
		wantAnswer(t, s, 1, a)
	}
	wantUnanswered(t, s, 1, "wrot")
	wantUnanswered(t, s, 1, "")
}

func statesAnswerAgain(t *testing.T, s muster.States) {
	first := muster.Remembered{CommandID: "c", Revision: 1, Offset: 1, Time: suiteTime, Outcome: []byte("first")}
	second := muster.Remembered{CommandID: "c", Revision: 2, Offset: 2, Time: suiteTime, Outcome: []byte("second")}
	third := muster.Remembered{CommandID: "c", Revision: 3, Offset: 3, Time: suiteTime, Outcome: []byte("third")}
	store(t, s, muster.Changes{Answers: []muster.Remembered{first}, Next: 2, Time: suiteTime})
	store(t, s, muster.Changes{Answers: []muster.Remembered{second, third}, Next: 4, Time: suiteTime})
	wantAnswer(t, s, 0, third)
}

func statesInOrder(t *testing.T, s muster.States) {
	at := func(n int64) muster.Changes {
		return muster.Changes{
			Next: n + 1, Time: suiteTime,
			States:  []muster.StoredState{{AggregateID: "a", Revision: uint64(n), Offset: n, Data: fmt.Append(nil, n)}},
			Answers: []muster.Remembered{{CommandID: fmt.Sprint("c", n), Revision: uint64(n), Offset: n, Time: suiteTime}},
		}
	}
	store(t, s, at(1), at(2), at(3))
	wantState(t, s, 0, at(3).States[0])
	for n := range int64(3) {
		wantAnswer(t, s, 0, at(n + 1).Answers[0])
	}
}

func statesOrder(t *testing.T, s muster.States) {
	state := muster.StoredState{AggregateID: "acc-1", Revision: 2, Offset: 9, Data: []byte("kept")}
	store(t, s, muster.Changes{States: []muster.StoredState{state}, Next: 10, Time: suiteTime})
	wrong := state
	wrong.Revision, wrong.Data = 3, []byte("wrong")
	beyond := wrong
	beyond.Offset = 11
	other := muster.Changes{Partition: 1, Next: 5, States: []muster.StoredState{{AggregateID: "acc-1", Revision: 1, Offset: 4, Data: []byte{1}}}, Time: suiteTime}
	for name, c := range map[string]muster.Changes{
		"an earlier offset":           {States: []muster.StoredState{wrong}, Next: 9, Time: suiteTime},
		"a state beyond the offset":   {States: []muster.StoredState{beyond}, Next: 11, Time: suiteTime},
		"a state at no offset at all": {States: []muster.StoredState{{AggregateID: "acc-1", Revision: 3, Offset: -1}}, Next: 11, Time: suiteTime},
	} {
		if err := s.Store(t.Context(), []muster.Changes{other, c}); err == nil {
			t.Fatalf("%s was stored", name)
		}
		wantState(t, s, 0, state)
		wantNone(t, s, 1, "acc-1") // all or none
	}
	store(t, s, muster.Changes{Next: 10, Answers: []muster.Remembered{{CommandID: "refused", Offset: -1, Time: suiteTime}}, Time: suiteTime})
	store(t, s, muster.Changes{Next: 12, Time: suiteTime})
	wantState(t, s, 0, state)
}

func statesMemory(t *testing.T, s muster.States) {
	data, outcome := []byte("state"), []byte("outcome")
	store(t, s, muster.Changes{
		States:  []muster.StoredState{{AggregateID: "a", Revision: 1, Offset: 0, Data: data}},
		Answers: []muster.Remembered{{CommandID: "c", Time: suiteTime, Outcome: outcome}}, Next: 1, Time: suiteTime,
	})
	copy(data, "WRONG")
	copy(outcome, "WRONG")
	loaded, err := s.Load(0, "a")
	if err != nil || string(loaded.Data) != "state" {
		t.Fatalf("Load gives %q, %v after the caller changed its slice", loaded.Data, err)
	}
	wantAnswer(t, s, 0, muster.Remembered{CommandID: "c", Time: suiteTime, Outcome: []byte("outcome")})
	store(t, s, muster.Changes{States: []muster.StoredState{{AggregateID: "a", Revision: 2, Offset: 1, Data: []byte("other")}}, Next: 2, Time: suiteTime})
	if string(loaded.Data) != "state" {
		t.Fatalf("a loaded state changed to %q with the next Store", loaded.Data)
	}
}

func statesMany(t *testing.T, s muster.States) {
	const count = 5000
	changes := make([]muster.Changes, 2)
	for p := range changes {
		c := &changes[p]
		c.Partition, c.Next, c.Time = int32(p), count, suiteTime
		for n := range count {
			c.States = append(c.States, muster.StoredState{AggregateID: fmt.Sprintf("agg-%d", n), Revision: 1, Offset: int64(n), Data: fmt.Append(nil, p, n)})
			c.Answers = append(c.Answers, muster.Remembered{CommandID: fmt.Sprintf("cmd-%d", n), Revision: 1, Offset: int64(n), Time: suiteTime, Outcome: fmt.Append(nil, n, p)})
		}
	}
	store(t, s, changes...)
	for p := range changes {
		for n := range count {
			wantState(t, s, int32(p), changes[p].States[n])
			wantAnswer(t, s, int32(p), changes[p].Answers[n])
		}
	}
}

// statesConcurrent stores two aggregates and an answer per batch, in step. A reader that sees the answer of a batch must see its states.
func statesConcurrent(t *testing.T, s muster.States) {
	const rounds, partitions = 200, 3
	id := func(round int) string { return fmt.Sprint("cmd-", round) }
	var all sync.WaitGroup
	for p := range int32(partitions) {
		stored := make(chan struct{})
		all.Go(func() {
			defer close(stored)
			for round := 1; round <= rounds; round++ {
				at := int64(2 * round)
				err := s.Store(t.Context(), []muster.Changes{{
					Partition: p, Next: at, Time: suiteTime,
					States: []muster.StoredState{
						{AggregateID: "left", Revision: uint64(round), Offset: at - 2, Data: fmt.Append(nil, round)},
						{AggregateID: "right", Revision: uint64(round), Offset: at - 1, Data: fmt.Append(nil, round)},
					},
					Answers: []muster.Remembered{{CommandID: id(round), Revision: uint64(round), Offset: at - 1, Time: suiteTime}},
				}})
				if err != nil {
					t.Errorf("Store: %v", err)
					return
				}
			}
		})
		all.Go(func() { readBeside(t, s, p, stored, id) })
	}
	all.Wait()
	for p := range int32(partitions) {
		wantState(t, s, p, muster.StoredState{AggregateID: "left", Revision: rounds, Offset: 2*rounds - 2, Data: fmt.Append(nil, rounds)})
		wantState(t, s, p, muster.StoredState{AggregateID: "right", Revision: rounds, Offset: 2*rounds - 1, Data: fmt.Append(nil, rounds)})
	}
}

// readBeside reads until the writer is done, and checks what each read implies for the next.
func readBeside(t *testing.T, s muster.States, p int32, stored <-chan struct{}, id func(int) string) {
	for seen := 0; ; {
		_, answered, err := s.Answered(p, id(seen+1))
		left, leftErr := s.Load(p, "left")
		right, rightErr := s.Load(p, "right")
		if err != nil || leftErr != nil || rightErr != nil {
			t.Errorf("reading: %v, %v, %v", err, leftErr, rightErr)
			return
		}
		if answered {
			seen++
		}
		if left.Revision < uint64(seen) || right.Revision < left.Revision {
			t.Errorf("partition %d: answer %d is there, then states at %d and %d: older than what was read before", p, seen, left.Revision, right.Revision)
			return
		}
		if string(left.Data) != revisionText(left.Revision) {
			t.Errorf("partition %d: revision %d comes with data %q", p, left.Revision, left.Data)
			return
		}
		select {
		case <-stored:
			return
		default:
		}
	}
}

func revisionText(revision uint64) string {
	if revision == 0 {
		return ""
	}
	return fmt.Sprint(revision)
}
