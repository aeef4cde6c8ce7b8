package journal_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/journal"
)

func mustIngest(t testing.TB, g *journal.GroupStore, c muster.Changes) {
	t.Helper()
	if err := g.Ingest(t.Context(), c); err != nil {
		t.Fatalf("Ingest: %v", err)
	}
}

// together is batches first to last of a partition as one change, as a long recovery has it.
func together(p int32, first, last int) muster.Changes {
	all := batch(p, last)
	all.Answers = nil
	for n := first; n <= last; n++ {
		all.Answers = append(all.Answers, batch(p, n).Answers...)
	}
	return all
}

// statesOf gives all states of a partition as text.
func statesOf(t testing.TB, g *journal.GroupStore, p int32) string {
	t.Helper()
	var all strings.Builder
	if err := g.Each(p, func(s muster.StoredState) error {
		fmt.Fprintf(&all, "%s %d %d %q\n", s.AggregateID, s.Revision, s.Offset, s.Data)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// What is taken in as a table is what storing batch after batch leaves, also after the store was opened again.
func TestIngestIsStoreInOne(t *testing.T) {
	cfg := journal.Config{Dir: "state", FS: vfs.NewMem()}
	s := open(t, cfg)
	g := openGroup(t, s)
	for n := 1; n <= 60; n++ {
		mustStore(t, g, batch(0, n))
	}
	mustIngest(t, g, together(1, 1, 20))
	mustStore(t, g, batch(1, 21), batch(1, 22))
	mustIngest(t, g, together(1, 23, 60))
	for range 2 {
		if a, b := statesOf(t, g, 0), statesOf(t, g, 1); a != b || a == "" {
			t.Fatalf("stored\n%staken in\n%s", a, b)
		}
		wantBatches(t, g, 0, 60, 60)
		wantBatches(t, g, 1, 60, 60)
		closeStore(t, s)
		s = open(t, cfg)
		g = openGroup(t, s)
	}
	closeStore(t, s)
}

// A table has its records of answers dropped when their own time has come, not that of the table.
func TestIngestedAnswersAge(t *testing.T) {
	g := openGroup(t, open(t, journal.Config{DedupWindow: time.Hour}))
	c := muster.Changes{Partition: 0, Next: 2000, Time: noon}
	for n := range 2000 {
		at := noon.Add(time.Duration(n-2000) * time.Second)
		c.Answers = append(c.Answers, muster.Remembered{CommandID: fmt.Sprint("cmd-", n), Offset: int64(n), Time: at, Outcome: []byte("ok")})
	}
	mustIngest(t, g, c)
	mustIngest(t, g, muster.Changes{Partition: 0, Next: 2001, Time: noon.Add(time.Hour - 900*time.Second)})
	for n, want := range map[int]bool{0: false, 999: false, 1200: true, 1999: true} {
		if _, ok, err := g.Answered(0, fmt.Sprint("cmd-", n)); err != nil || ok != want {
			t.Errorf("cmd-%d remembered: %v, %v; want %v", n, ok, err, want)
		}
	}
	if oldest, ok, err := g.OldestAnswer(0); err != nil || !ok || oldest < 500 || oldest > 1200 {
		t.Errorf("oldest answer at %d, %v, %v", oldest, ok, err)
	}
}

// After a power cut somewhere between stores and tables each partition is at an earlier moment of itself as a whole.
func TestPowerCutWithTables(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 3))
		disk := vfs.NewCrashableMem()
		cfg := journal.Config{Dir: "state", FS: disk, WriteBufferBytes: 64 << uint(10+rng.IntN(6))}
		s := open(t, cfg)
		g := openGroup(t, s)
		const partitions = 3
		var at [partitions]int
		var left *vfs.MemFS
		cut := rng.IntN(40)
		for step := range 40 {
			if step == cut {
				left = disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
			}
			p := rng.IntN(partitions)
			n := at[p] + 1 + rng.IntN(5)
			if rng.IntN(2) == 0 {
				mustIngest(t, g, together(int32(p), at[p]+1, n))
			} else {
				mustStore(t, g, together(int32(p), at[p]+1, n))
			}
			at[p] = n
		}
		closeStore(t, s)

		s = open(t, journal.Config{Dir: "state", FS: left})
		if r, rebuilt := s.Rebuilt(); rebuilt {
			t.Fatalf("seed %d: given up: %+v", seed, r)
		}
		g = openGroup(t, s)
		for p := range int32(partitions) {
			found, _ := g.Checkpoint(p)
			wantBatches(t, g, p, int(found.Next)/3, at[p])
		}
		closeStore(t, s)
	}
}

// A disk that is full while a table is written is said to be full; nothing of the table is seen, nothing of it stays on disk, and the store
// goes on when there is room again.
func TestIngestOnAFullDisk(t *testing.T) {
	mem := vfs.NewMem()
	var full atomic.Bool
	disk := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite && strings.Contains(op.Path, "ingest") && op.Kind != errorfs.OpRemove {
			return syscall.ENOSPC
		}
		return nil
	}))
	g := openGroup(t, open(t, journal.Config{Dir: "state", FS: disk}))
	mustIngest(t, g, together(2, 1, 5))
	full.Store(true)
	err := g.Ingest(t.Context(), together(2, 6, 9))
	if !errors.Is(err, journal.ErrFull) || !strings.Contains(err.Error(), "accounts[2]") {
		t.Fatalf("got %v, want ErrFull that names the partition", err)
	}
	if err := g.Failed(); err != nil {
		t.Fatalf("the store failed for good: %v", err)
	}
	wantBatches(t, g, 2, 5, 9)
	mustStore(t, g, batch(3, 1))
	full.Store(false)
	if names, err := mem.List("state/ingest"); err != nil || len(names) != 0 {
		t.Errorf("left on disk: %v, %v", names, err)
	}
	mustIngest(t, g, together(2, 6, 9))
	wantBatches(t, g, 2, 9, 9)
}

// What a process that was killed has left half made is removed.
func TestHalfMadeTablesAreRemoved(t *testing.T) {
	mem := vfs.NewMem()
	s := open(t, journal.Config{Dir: "state", FS: mem})
	f, err := mem.Create("state/ingest/7.sst", vfs.WriteCategoryUnspecified)
	if err != nil || f.Close() != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	open(t, journal.Config{Dir: "state", FS: mem})
	if names, err := mem.List("state/ingest"); err != nil || len(names) != 0 {
		t.Errorf("still there: %v, %v", names, err)
	}
}

func TestIngestRefusesWhatDoesNotFollow(t *testing.T) {
	g := openGroup(t, open(t, journal.Config{}))
	mustIngest(t, g, together(0, 1, 5))
	if err := g.Ingest(t.Context(), together(0, 2, 3)); !errors.Is(err, journal.ErrOrder) {
		t.Errorf("an earlier stretch: %v", err)
	}
	if err := g.LoadSnapshots(t.Context(), 0, nil); !errors.Is(err, journal.ErrOrder) {
		t.Errorf("a base over what is there: %v", err)
	}
	if err := g.EndSnapshots(0, 7, 7); !errors.Is(err, journal.ErrOrder) {
		t.Errorf("the end of a base that was not begun: %v", err)
	}
	g.Release(0)
	if err := g.Ingest(t.Context(), together(0, 6, 7)); !errors.Is(err, muster.ErrNotHeld) {
		t.Errorf("not held: %v", err)
	}
}

// A base that was not completed leaves the checkpoint at 0; one that was stays, with how far it covers the journal.
func TestSnapshotsUnderAPartition(t *testing.T) {
	cfg := journal.Config{Dir: "state", FS: vfs.NewMem()}
	s := open(t, cfg)
	g := openGroup(t, s)
	old := []muster.StoredState{{AggregateID: "b", Revision: 1, Offset: 3, Data: []byte("old")}, {AggregateID: "a", Revision: 2, Offset: 5, Data: []byte("a")}}
	load := func(states ...muster.StoredState) {
		t.Helper()
		if err := g.LoadSnapshots(t.Context(), 4, states); err != nil {
			t.Fatal(err)
		}
	}
	load(old...)
	closeStore(t, s)
	s = open(t, cfg)
	g = openGroup(t, s)
	if at, _ := g.Checkpoint(4); at.Next != 0 || at.Wiped != "" {
		t.Fatalf("an unfinished base: %+v", at)
	}
	if err := g.Clear(4); err != nil || statesOf(t, g, 4) != "" {
		t.Fatalf("cleared: %v, %q", err, statesOf(t, g, 4))
	}
	load(old...)
	load(muster.StoredState{AggregateID: "b", Revision: 4, Offset: 9, Data: []byte("new")})
	if err := g.EndSnapshots(4, 6, 12); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	s = open(t, cfg)
	g = openGroup(t, s)
	at, _ := g.Checkpoint(4)
	covered, err := g.Covered(4)
	if at.Next != 6 || covered != 12 || err != nil {
		t.Fatalf("at %+v, covered %d, %v", at, covered, err)
	}
	if got := statesOf(t, g, 4); got != "a 2 5 \"a\"\nb 4 9 \"new\"\n" {
		t.Errorf("states\n%s", got)
	}
	if _, rebuilt := s.Rebuilt(); rebuilt {
		t.Error("rebuilt")
	}
	if err := errors.Join(g.SetCovered(4, 20), g.SetCovered(4, 15)); err != nil {
		t.Fatal(err)
	}
	if covered, err := g.Covered(4); covered != 20 || err != nil {
		t.Errorf("covered %d, %v; it must not go back", covered, err)
	}
	if err := g.Reset(4, "test"); err != nil {
		t.Fatal(err)
	}
	if covered, err := g.Covered(4); covered != 0 || err != nil {
		t.Errorf("covered %d after a reset, %v", covered, err)
	}
}

// Changed shows the states behind an offset, and the moment they are of.
func TestChanged(t *testing.T) {
	g := openGroup(t, open(t, journal.Config{}))
	mustStore(t, g, batch(0, 1))
	next := batch(0, 2)
	next.States = next.States[1:2]
	mustStore(t, g, next)
	for since, want := range map[int64][]string{0: {"acc-0", "acc-1", "acc-2"}, 2: {"acc-1", "acc-2"}, 3: {"acc-1"}, 5: nil} {
		var got []string
		view, err := g.Changed(0, since, func(s muster.StoredState) error { got = append(got, s.AggregateID); return nil })
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("since %d: %v, %v; want %v", since, got, err, want)
		}
		if view.Next != 6 || view.LastEvent != next.LastEvent || view.LastAt != 5 || view.States != 3 {
			t.Errorf("view %+v", view)
		}
	}
	stop := errors.New("stop")
	if _, err := g.Changed(0, 0, func(muster.StoredState) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}

func FuzzDecodeCovered(f *testing.F) {
	f.Add(journal.EncodeCovered(77))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, err := journal.DecodeCovered(b); err == nil && (n < 0 || string(journal.EncodeCovered(n)) != string(b[:9])) {
			t.Errorf("%x gave %d", b, n)
		}
	})
}
