package mustertest

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
)

// States checks that an implementation of [muster.States] keeps to the contract. open gives an empty store for each part of the suite, of
// which partitions 0 to 3 are ready for use; what it opens it closes with t.Cleanup.
func States(t *testing.T, open func(t *testing.T) muster.States) {
	t.Helper()
	parts := []struct {
		name string
		run  func(t *testing.T, s muster.States)
	}{
		{"an empty store has nothing", statesEmpty},
		{"states are given back as they were stored", statesRoundTrip},
		{"a later state replaces an earlier one", statesReplace},
		{"a state with revision 0 is removed", statesRemove},
		{"partitions are apart", statesApart},
		{"answers are given back as they were stored", statesAnswers},
		{"the last answer of an id counts", statesAnswerAgain},
		{"changes of one partition are stored in order", statesInOrder},
		{"a partition never moves back", statesOrder},
		{"memory is not shared with the caller", statesMemory},
		{"many changes at once", statesMany},
		{"reads beside stores see whole batches", statesConcurrent},
	}
	for _, part := range parts {
		t.Run(part.name, func(t *testing.T) { part.run(t, open(t)) })
	}
}

// suiteTime is when the suite's batches are; whole microseconds, as on the wire.
var suiteTime = time.Date(2026, 3, 1, 12, 0, 0, 123_456_000, time.UTC)

func store(t *testing.T, s muster.States, changes ...muster.Changes) {
	t.Helper()
	if err := s.Store(t.Context(), changes); err != nil {
		t.Fatalf("Store: %v", err)
	}
}

func wantState(t *testing.T, s muster.States, partition int32, want muster.StoredState) {
	t.Helper()
	got, err := s.Load(partition, want.AggregateID)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	if got.AggregateID != want.AggregateID || got.Revision != want.Revision || got.Offset != want.Offset || !bytes.Equal(got.Data, want.Data) {
		t.Fatalf("partition %d has %s, want %s", partition, show(got), show(want))
	}
	if (got.Data == nil) != (got.Revision == 0) {
		t.Fatalf("partition %d: at revision %d Data == nil is %v; it is nil where there is no state, and only there", partition, got.Revision, got.Data == nil)
	}
}

func wantNone(t *testing.T, s muster.States, partition int32, id string) {
	t.Helper()
	wantState(t, s, partition, muster.StoredState{AggregateID: id})
}

func wantAnswer(t *testing.T, s muster.States, partition int32, want muster.Remembered) {
	t.Helper()
	got, ok, err := s.Answered(partition, want.CommandID)
	if err != nil || !ok {
		t.Fatalf("partition %d: Answered(%q) is %v, %v; want it remembered", partition, want.CommandID, ok, err)
	}
	same := got.CommandID == want.CommandID && got.Fingerprint == want.Fingerprint && got.Revision == want.Revision &&
		got.Offset == want.Offset && got.Time.Equal(want.Time) && bytes.Equal(got.Outcome, want.Outcome)
	if !same {
		t.Fatalf("partition %d remembers %+v, want %+v", partition, got, want)
	}
	if (got.Outcome == nil) != (want.Outcome == nil) {
		t.Fatalf("Answered(%q): an outcome that was not kept is nil, an empty one is not; got nil: %v", want.CommandID, got.Outcome == nil)
	}
}

func wantUnanswered(t *testing.T, s muster.States, partition int32, id string) {
	t.Helper()
	if got, ok, err := s.Answered(partition, id); err != nil || ok {
		t.Fatalf("partition %d: Answered(%q) is %+v, %v, %v; want nothing", partition, id, got, ok, err)
	}
}

func show(s muster.StoredState) string {
	var b strings.Builder
	b.WriteString(s.AggregateID)
	b.WriteString(" ")
	b.WriteString(muster.Position{Topic: "revision", Partition: int32(s.Revision), Offset: s.Offset}.String())
	b.WriteString(" ")
	b.Write(s.Data[:min(len(s.Data), 40)])
	return b.String()
}
