package journal_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/journal"
)

var (
	subjectAnna = muster.SubjectRef{1, 0xff}
	subjectBert = muster.SubjectRef{1, 0xff, 1}
)

func subjectState(id string, revision uint64, fresh int, whose ...muster.SubjectRef) muster.StoredState {
	return muster.StoredState{AggregateID: id, Revision: revision, Offset: int64(revision), Data: fmt.Append(nil, id, " at ", revision), Subjects: whose, Unindexed: fresh}
}

func wantSubject(t *testing.T, g *journal.GroupStore, ref muster.SubjectRef, want ...string) {
	t.Helper()
	got, err := g.Aggregates(0, ref)
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("subject %x is in %q, %v; want %q", ref[:3], got, err, want)
	}
}

// The index has what the states say, whichever way they come, and is still there after a restart.
func TestSubjectsAreIndexed(t *testing.T) {
	for _, way := range []string{"store", "ingest", "snapshots"} {
		t.Run(way, func(t *testing.T) {
			cfg := journal.Config{Dir: filepath.Join(t.TempDir(), "state")}
			s := open(t, cfg)
			g := openGroup(t, s)
			openPartition(t, g, 0)
			states := []muster.StoredState{subjectState("b", 1, 2, subjectAnna, subjectBert), subjectState("a", 2, 1, subjectAnna), subjectState("c", 3, 0)}
			c := muster.Changes{States: states, Next: 4, Time: noon}
			var err error
			switch way {
			case "store":
				err = g.Store(t.Context(), []muster.Changes{c})
			case "ingest":
				err = g.Ingest(t.Context(), c)
			case "snapshots":
				err = errors.Join(g.LoadSnapshots(t.Context(), 0, states), g.EndSnapshots(0, 4, 4))
			}
			if err != nil {
				t.Fatal(err)
			}
			mustStore(t, g, muster.Changes{States: []muster.StoredState{subjectState("a", 4, 1, subjectAnna, subjectBert)}, Next: 5})
			for range 2 {
				wantSubject(t, g, subjectAnna, "a", "b")
				wantSubject(t, g, subjectBert, "a", "b")
				wantSubject(t, g, muster.SubjectRef{2})
				if got, err := g.Load(0, "b"); err != nil || !slices.Equal(got.Subjects, states[0].Subjects) || string(got.Data) != "b at 1" || got.Unindexed != 0 {
					t.Fatalf("loaded %+v, %v", got, err)
				}
				closeStore(t, s)
				s = open(t, cfg)
				g = openGroup(t, s)
				openPartition(t, g, 0)
			}
			if err := g.Reset(0, "test"); err != nil {
				t.Fatal(err)
			}
			wantSubject(t, g, subjectAnna)
		})
	}
}

func TestRedact(t *testing.T) {
	g := openGroup(t, open(t, journal.Config{}))
	openPartition(t, g, 0)
	mustStore(t, g, muster.Changes{States: []muster.StoredState{subjectState("a", 1, 1, subjectAnna), subjectState("b", 2, 1, subjectBert)}, Next: 3})
	left := muster.StoredState{AggregateID: "a", Revision: 1, Offset: 1, Data: []byte("left"), Subjects: []muster.SubjectRef{subjectAnna}}
	if err := g.Redact(t.Context(), 0, []muster.StoredState{left}, []string{"e2", "e1"}); err != nil {
		t.Fatal(err)
	}
	if got, err := g.Load(0, "a"); err != nil || string(got.Data) != "left" {
		t.Fatalf("%+v, %v", got, err)
	}
	if ids, err := g.Erased(0); err != nil || !slices.Equal(ids, []string{"e1", "e2"}) {
		t.Fatalf("erased: %q, %v", ids, err)
	}
	wantSubject(t, g, subjectAnna, "a")
	mustStore(t, g, muster.Changes{States: []muster.StoredState{subjectState("b", 3, 0, subjectBert)}, Next: 4})
	late := muster.StoredState{AggregateID: "b", Revision: 2, Offset: 2, Data: []byte("late")}
	if err := g.Redact(t.Context(), 0, []muster.StoredState{left, late}, []string{"e3"}); !errors.Is(err, journal.ErrOrder) {
		t.Fatalf("a state that was decided on meanwhile: %v", err)
	}
	if ids, err := g.Erased(0); err != nil || len(ids) != 2 {
		t.Errorf("erased after a refusal: %q, %v", ids, err)
	}
	if err := g.Reset(0, "test"); err != nil {
		t.Fatal(err)
	}
	if ids, err := g.Erased(0); err != nil || len(ids) != 0 {
		t.Errorf("erased in rows that are new: %q, %v", ids, err)
	}
}
