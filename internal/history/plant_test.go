package history_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/history"
)

// A run without fault passes every check, and every check is made.
func TestWholeRecordIsSound(t *testing.T) {
	r, c := whole(), contract()
	if err := r.Check(c); err != nil {
		t.Errorf("no fault was planted, found: %v", err)
	}
	names := r.Invariants(c)
	slices.Sort(names)
	if want := []string{"I1", "I10", "I11", "I12", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9"}; !slices.Equal(names, want) {
		t.Errorf("checked are %v, want %v", names, want)
	}
	for _, few := range []*history.Record{{}, {Journal: &history.Journal{}}} {
		if err := few.Check(history.Contract{}); err != nil {
			t.Errorf("a record without dumps: %v", err)
		}
	}
	if names := (&history.Record{}).Invariants(c); len(names) != 0 {
		t.Errorf("a record without dumps is checked for %v", names)
	}
}

// plant is one violation: what is found begins with want.
type plant struct {
	name, want string
	do         func(r *history.Record, c *history.Contract)
}

// Every rule of every invariant finds what it is there for, and finds it under its own name.
func TestPlantedViolationsAreFound(t *testing.T) {
	met := map[string]bool{}
	for _, p := range slices.Concat(plants, plantsAtRest) {
		t.Run(p.name, func(t *testing.T) {
			r, c := whole(), contract()
			p.do(r, &c)
			err := r.Check(c)
			if err == nil || !slices.ContainsFunc(strings.Split(err.Error(), "\n"), func(line string) bool { return strings.HasPrefix(line, p.want) }) {
				t.Errorf("found %v, want a violation that begins with %q", err, p.want)
			}
		})
		met[strings.SplitN(p.want, ":", 2)[0]] = true
	}
	r, c := whole(), contract()
	for _, name := range r.Invariants(c) {
		if !met[name] {
			t.Errorf("no violation of %s was planted", name)
		}
	}
}

var plants = []plant{
	{"refused and its offset not consumed", "I1: c3 was answered", func(r *history.Record, _ *history.Contract) { r.Consumed[0].Next = 2 }},
	{"refused and waiting", "I1: c3 was answered", func(r *history.Record, _ *history.Contract) { r.Consumed[0].Waiting = []int64{2} }},
	{"a query whose offset is not consumed", "I1: q2 was answered", func(r *history.Record, _ *history.Contract) { r.Consumed[0].Next = 3 }},
	{"half of a command", "I2: command c1 has 1 events", func(r *history.Record, _ *history.Contract) { r.Journal.Events[0] = r.Journal.Events[0][1:] }},
	{"a repeat with another answer", "I4: command c1 was answered", func(r *history.Record, _ *history.Contract) { r.Calls[2].Revision = 1 }},
	{"the cleaner took what nobody named", "I3: the cleaner took revision 2", func(r *history.Record, _ *history.Contract) { r.Cleaned.Events[0] = r.Cleaned.Events[0][1:] }},
	{"the cleaner left something else", "I3: the cleaner left event other", func(r *history.Record, _ *history.Contract) {
		r.Cleaned.Events[0] = slices.Clone(r.Cleaned.Events[0])
		r.Cleaned.Events[0][0].ID = "other"
	}},
	{"the cleaner made something", "I3: after the cleaner there is", func(r *history.Record, _ *history.Contract) {
		e := r.Cleaned.Events[0][0]
		e.Offset = 99
		r.Cleaned.Events[0] = append(slices.Clone(r.Cleaned.Events[0]), e)
	}},
	{"an aggregate in two partitions", "I3: aggregate a has events in", func(r *history.Record, _ *history.Contract) {
		events := r.Journal.Events[0]
		r.Journal.Events = [][]muster.Event{events[:4], events[4:]}
	}},
	{"stored ahead of the journal", "I5: o has a at revision 3", func(r *history.Record, _ *history.Contract) { r.Stored[0].States[0].Revision = 3 }},
	{"stored at another offset", "I5: o has a at revision 2 of offset 10", func(r *history.Record, _ *history.Contract) { r.Stored[0].States[0].Offset = 10 }},
	{"stored with other bytes", `I5: o has a at revision 2 as "c1"`, func(r *history.Record, _ *history.Contract) { r.Stored[0].States[0].Data = []byte("c1") }},
	{"not stored", "I5: o has no state of b", func(r *history.Record, _ *history.Contract) { r.Stored[0].States = r.Stored[0].States[:1] }},
	{"stored out of nothing", "I5: o has a state of c", func(r *history.Record, _ *history.Contract) {
		r.Stored[0].States = append(r.Stored[0].States, muster.StoredState{AggregateID: "c", Revision: 1})
	}},
	{"stored of a partition that is not", "I5: o has stored partition 3", func(r *history.Record, _ *history.Contract) { r.Stored[0].Partition = 3 }},
	{"a fold that fails", "I5: the journal of a", func(_ *history.Record, c *history.Contract) {
		c.Fold = func([]muster.Event) ([]byte, error) { return nil, errPlanted }
	}},
	{"a query that missed an answered command", "I6: aggregate a: there is no order", func(r *history.Record, _ *history.Contract) {
		r.Queries = append(r.Queries, history.Query{Caller: "late", Aggregate: "a", Asked: at(5), Answered: at(6), Revision: 2, Answer: "c1 c1"})
	}},
	{"queries that go back", "I6: aggregate a: there is no order", func(r *history.Record, _ *history.Contract) {
		// c5 was never answered, so either may be seen; but not the later one first
		r.Queries = append(r.Queries,
			history.Query{Caller: "x", Aggregate: "a", Asked: at(5), Answered: at(6), Revision: 4, Answer: "c1 c1 c2 c5"},
			history.Query{Caller: "y", Aggregate: "a", Asked: at(7), Answered: at(8), Revision: 3, Answer: "c1 c1 c2"})
	}},
	{"a query between the events of a command", "I6: aggregate a: there is no order", func(r *history.Record, _ *history.Contract) {
		r.Queries[0].Revision, r.Queries[0].Answer = 1, "c1"
	}},
	{"a query with another answer", "I6: a query of b", func(r *history.Record, _ *history.Contract) { r.Queries[1].Answer = "c8" }},
	{"a query ahead of the journal", "I6: a query of b", func(r *history.Record, _ *history.Contract) { r.Queries[1].Revision = 7 }},
	{"a row that is wrong", `I7: view v at i: row a is "c1"`, func(r *history.Record, _ *history.Contract) { r.Views[0].Rows["a"] = "c1" }},
	{"a row that is missing", "I7: view v at i: row b", func(r *history.Record, _ *history.Contract) { delete(r.Views[0].Rows, "b") }},
	{"a row too many", "I7: view v at i has row c", func(r *history.Record, _ *history.Contract) { r.Views[0].Rows["c"] = "" }},
	{"a view that is behind", "I7: view v at i is at rest", func(r *history.Record, _ *history.Contract) { r.Views[0].Checkpoint[0] = 14 }},
	{"a view nobody knows", "I7: the contract does not know", func(r *history.Record, _ *history.Contract) { r.Views[0].Name = "w" }},
	{"an event of another tenant", "I8: event at t", func(r *history.Record, _ *history.Contract) {
		e := &r.Journal.Events[0][2]
		e.Payload = bytes.Replace(e.Payload, []byte("t1"), []byte("t2"), 1)
	}},
	{"an event of another aggregate", "I8: event at t", func(r *history.Record, _ *history.Contract) {
		r.Journal.Events[0][2].Payload = r.Journal.Events[0][3].Payload
	}},
	{"an event whose mark cannot be read", "I8: event at t", func(r *history.Record, _ *history.Contract) { r.Journal.Events[0][2].Payload = nil }},
	{"an event in another partition", "I8: event at t", func(_ *history.Record, c *history.Contract) { c.Partitioned = func(string) int32 { return 1 } }},
	{"a state in another partition", "I8: o has a state of b", func(r *history.Record, _ *history.Contract) { r.Stored[0].Partition = 1 }},
	{"an answer of another command", "I8: caller-c1 asked for", func(r *history.Record, _ *history.Contract) { r.Calls[0].Mark.Command = "c2" }},
	{"an answer of another tenant", "I8: caller-c1 asked for", func(r *history.Record, _ *history.Contract) { r.Calls[0].Mark.Tenant = "t2" }},
	{"buried with effect", "I9: command c5 has a dead letter", func(r *history.Record, _ *history.Contract) { r.Letters[0].Command.ID = "c5" }},
	{"buried and acknowledged", "I9: command c2 has a dead letter, and was", func(r *history.Record, _ *history.Contract) { r.Letters[0].Command.ID = "c2" }},
}

var plantsAtRest = []plant{
	{"a call that never ended", "I10: command c4 of caller-c4 never", func(r *history.Record, _ *history.Contract) { r.Calls[4].GivenUp = time.Time{} }},
	{"a call that ended late", "I10: command c4 of caller-c4 ended", func(r *history.Record, _ *history.Contract) { r.Calls[4].GivenUp = at(11) }},
	{"an answer that came late", "I10: command c3 of caller-c3 ended", func(r *history.Record, _ *history.Contract) { r.Calls[3].Answered = at(11) }},
	{"lag", "I10: g lags by 1", func(r *history.Record, _ *history.Contract) { r.End.Lag["g"] = 1 }},
	{"a goroutine", "I10: a goroutine is left", func(r *history.Record, _ *history.Contract) { r.End.Goroutines = []string{"main.f"} }},
	{"a secret", "I11: another has secret 1", func(r *history.Record, _ *history.Contract) { r.Places[1] = text("another", "a canary here") }},
	{"a secret over the edge of what is read at once", "I11: edge has secret 0", func(r *history.Record, _ *history.Contract) {
		r.Places = append(r.Places, history.Place{Name: "edge", Open: func() (io.ReadCloser, error) {
			return io.NopCloser(iotest.OneByteReader(strings.NewReader("xxhiddenxx"))), nil
		}})
	}},
	{"a place that cannot be opened", "I11: gone cannot be searched", func(r *history.Record, _ *history.Contract) {
		r.Places = append(r.Places, history.Place{Name: "gone", Open: func() (io.ReadCloser, error) { return nil, errPlanted }})
	}},
	{"a place that cannot be read", "I11: broken cannot be searched", func(r *history.Record, _ *history.Contract) {
		r.Places = append(r.Places, history.Place{Name: "broken", Open: func() (io.ReadCloser, error) {
			return io.NopCloser(iotest.ErrReader(errPlanted)), nil
		}})
	}},
	{"nowhere to search", "I11: there are 2 secrets and 0 places", func(r *history.Record, _ *history.Contract) { r.Places = nil }},
	{"an empty secret", "I11: an empty secret", func(r *history.Record, _ *history.Contract) { r.Secrets[0] = "" }},
	{"an erased subject opens", "I12: event 1 opened", func(r *history.Record, _ *history.Contract) { r.Probes[2].Opened = true }},
	{"an erased subject nobody probed", "I12: nothing of a subject", func(r *history.Record, _ *history.Contract) { r.Probes = r.Probes[3:] }},
	{"another subject does not open", "I12: event 2 did not open", func(r *history.Record, _ *history.Contract) { r.Probes[4].Opened = false }},
	{"another subject has changed", "I12: event 2 has changed", func(r *history.Record, _ *history.Contract) { r.Probes[4].Content = "z" }},
}

// Files finds what lies in a directory, however deep.
func TestFilesAreSearched(t *testing.T) {
	dir := t.TempDir()
	deep := filepath.Join(dir, "a", "b")
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(deep, "c"), []byte("a hidden thing"), 0o600); err != nil {
		t.Fatal(err)
	}
	places, err := history.Files(dir)
	if err != nil || len(places) != 1 {
		t.Fatalf("%d places, %v", len(places), err)
	}
	r := &history.Record{Secrets: []string{"hidden"}, Places: places}
	if err := r.Check(history.Contract{}); err == nil || !strings.Contains(err.Error(), "secret 0") || strings.Contains(err.Error(), "hidden") {
		t.Errorf("%v; want the secret by its number", err)
	}
}
