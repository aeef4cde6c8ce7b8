package journal_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/journal"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("MUSTER_TEST_CHILD"); dir != "" {
		child(dir)
	}
	goleak.VerifyTestMain(m)
}

var accounts = muster.NewGroup("accounts", muster.Partitions(8))

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// open opens a store, to be closed at the end of the test.
func open(t testing.TB, cfg journal.Config) *journal.Store {
	t.Helper()
	s, err := journal.Open(cfg)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// openGroup opens the group with all its partitions.
func openGroup(t testing.TB, s *journal.Store) *journal.GroupStore {
	t.Helper()
	g, err := s.Group(accounts, "", nil)
	if err != nil {
		t.Fatalf("Group: %v", err)
	}
	for p := range accounts.Partitions() {
		openPartition(t, g, p)
	}
	return g
}

func openPartition(t testing.TB, g *journal.GroupStore, p int32) journal.Checkpoint {
	t.Helper()
	at, err := g.Open(p)
	if err != nil {
		t.Fatalf("Open(%d): %v", p, err)
	}
	return at
}

func closeStore(t testing.TB, s *journal.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

// batch is the n-th batch of a partition, n from 1: one event of each of three aggregates, one answer each, and one refusal.
func batch(p int32, n int) muster.Changes {
	c := muster.Changes{Partition: p, Next: int64(3 * n), LastEvent: fmt.Sprintf("event-%d-%d", p, n), LastAt: int64(3*n - 1), Time: noon.Add(time.Duration(n) * time.Second)}
	for i := range 3 {
		offset := int64(3*(n-1) + i)
		c.States = append(c.States, muster.StoredState{AggregateID: fmt.Sprintf("acc-%d", i), Revision: uint64(n), Offset: offset, Data: fmt.Appendf(nil, "%d after %d", i, n)})
		c.Answers = append(c.Answers, muster.Remembered{CommandID: commandID(n, i), Fingerprint: uint32(n), Revision: uint64(n), Offset: offset, Time: c.Time, Outcome: fmt.Append(nil, n, i)})
	}
	c.Answers = append(c.Answers, muster.Remembered{CommandID: commandID(n, 3), Offset: -1, Time: c.Time, Outcome: []byte("refused")})
	return c
}

func commandID(n, i int) string { return fmt.Sprintf("cmd-%d-%d", n, i) }

func mustStore(t testing.TB, g *journal.GroupStore, changes ...muster.Changes) {
	t.Helper()
	if err := g.Store(t.Context(), changes); err != nil {
		t.Fatalf("Store: %v", err)
	}
}

// wantBatches checks that a partition holds exactly batches 1 to n: checkpoint, states and answers agree.
func wantBatches(t testing.TB, g *journal.GroupStore, p int32, n, stored int) {
	t.Helper()
	at, _ := g.Checkpoint(p)
	if at.Next != int64(3*n) || at.Answers != 4*n {
		t.Fatalf("partition %d: checkpoint %+v, want offset %d and %d answers", p, at, 3*n, 4*n)
	}
	if n > 0 && (at.LastEvent != batch(p, n).LastEvent || at.LastAt != batch(p, n).LastAt || !at.Time.Equal(batch(p, n).Time)) {
		t.Fatalf("partition %d: checkpoint %+v is not that of batch %d", p, at, n)
	}
	for i := range 3 {
		state, err := g.Load(p, fmt.Sprintf("acc-%d", i))
		if err != nil {
			t.Fatalf("Load: %v", err)
		}
		want := ""
		if n > 0 {
			want = fmt.Sprintf("%d after %d", i, n)
		}
		if string(state.Data) != want || state.Revision != uint64(n) {
			t.Fatalf("partition %d: acc-%d is %q at revision %d, want %q", p, i, state.Data, state.Revision, want)
		}
	}
	for m := 1; m <= stored; m++ {
		for i := range 4 {
			_, ok, err := g.Answered(p, commandID(m, i))
			if err != nil || ok != (m <= n) {
				t.Fatalf("partition %d: Answered(%s) is %v, %v; batches 1 to %d are there", p, commandID(m, i), ok, err, n)
			}
		}
	}
}
