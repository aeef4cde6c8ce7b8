package journal_test

import (
	"bytes"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/journal"
	"github.com/seed-3eec0498/muster/mustertest"
)

func TestConformance(t *testing.T) {
	suite := func(cfg func(t *testing.T) journal.Config) func(t *testing.T) {
		return func(t *testing.T) {
			mustertest.States(t, func(t *testing.T) muster.States { return openGroup(t, open(t, cfg(t))) })
		}
	}
	t.Run("memory", suite(func(*testing.T) journal.Config { return journal.Config{} }))
	t.Run("disk", suite(func(t *testing.T) journal.Config { return journal.Config{Dir: t.TempDir()} }))
	t.Run("small buffers", suite(func(*testing.T) journal.Config {
		return journal.Config{WriteBufferBytes: 64 << 10, CacheBytes: 4 << 20}
	}))
}

func TestReopen(t *testing.T) {
	cfg := journal.Config{Dir: filepath.Join(t.TempDir(), "made", "on", "the", "way")}
	topics := map[string][16]byte{"accounts.events": {1, 2, 3}}
	for round := range 3 {
		s := open(t, cfg)
		g, err := s.Group(accounts, "", topics)
		if err != nil {
			t.Fatal(err)
		}
		at := openPartition(t, g, 5)
		if at.Wiped != "" || at.Next != int64(3*round) || round > 0 && at.TopicID != topics["accounts.events"] {
			t.Fatalf("round %d: %+v", round, at)
		}
		wantBatches(t, g, 5, round, round+1)
		mustStore(t, g, batch(5, round+1))
		wantBatches(t, g, 5, round+1, round+2)
		closeStore(t, s)
		closeStore(t, s) // again is harmless
	}
}

func TestEmptyCheckpoint(t *testing.T) {
	g := openGroup(t, open(t, journal.Config{}))
	at, open := g.Checkpoint(0)
	if !open || at != (journal.Checkpoint{LastAt: -1}) {
		t.Fatalf("an empty partition is at %+v, %v", at, open)
	}
	mustStore(t, g, muster.Changes{Next: 8, Time: noon})
	at, _ = g.Checkpoint(0)
	if want := (journal.Checkpoint{Next: 8, LastAt: -1, Time: noon}); at != want {
		t.Fatalf("checkpoint %+v, want %+v", at, want)
	}
	mustStore(t, g, muster.Changes{Next: 9, LastEvent: "e", LastAt: 8, Time: noon.Add(-time.Hour)})
	mustStore(t, g, muster.Changes{Next: 10})
	at, _ = g.Checkpoint(0)
	if want := (journal.Checkpoint{Next: 10, LastEvent: "e", LastAt: 8, Time: noon}); at != want {
		t.Fatalf("checkpoint %+v, want %+v: the last event stays, time never goes back", at, want)
	}
}

func TestGroupsAreApart(t *testing.T) {
	dir := t.TempDir()
	orders := muster.NewGroup("orders", muster.Partitions(8))
	for range 2 { // the second time the numbers are read back
		s := open(t, journal.Config{Dir: dir})
		one := openGroup(t, s)
		two, err := s.Group(orders, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		three, err := s.Group(accounts, "tenant-", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Group(accounts, "", nil); err == nil || !strings.Contains(err.Error(), "group accounts is open") {
			t.Fatalf("a group was opened twice: %v", err)
		}
		for _, g := range []*journal.GroupStore{two, three} {
			if at := openPartition(t, g, 0); at.Next != 0 {
				t.Fatalf("another group's rows: %+v", at)
			}
		}
		if at, _ := one.Checkpoint(0); at.Next == 0 {
			mustStore(t, one, batch(0, 1))
		}
		wantBatches(t, one, 0, 1, 1)
		wantBatches(t, two, 0, 0, 1)
		wantBatches(t, three, 0, 0, 1)
		closeStore(t, s)
	}
}

func TestNotHeld(t *testing.T) {
	s := open(t, journal.Config{})
	g, err := s.Group(accounts, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	check := func(err error, part string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Fatalf("error %v, want %q in it", err, part)
		}
	}
	_, err = g.Load(3, "a")
	check(err, "accounts[3] is not open")
	if !errors.Is(err, muster.ErrNotHeld) {
		t.Fatalf("%v is no ErrNotHeld", err)
	}
	_, _, err = g.Answered(3, "a")
	check(err, "accounts[3] is not open")
	check(g.Store(t.Context(), []muster.Changes{batch(3, 1)}), "accounts[3] is not open")
	check(g.Each(3, nil), "accounts[3] is not open")
	if _, open := g.Checkpoint(3); open {
		t.Fatal("a checkpoint of a partition that is not open")
	}
	for _, p := range []int32{-1, 8} {
		_, err = g.Open(p)
		check(err, "has partitions 0 to 7")
		check(g.Reset(p, "x"), "has partitions 0 to 7")
		g.Release(p)
	}
}

func TestClosed(t *testing.T) {
	s := open(t, journal.Config{})
	g := openGroup(t, s)
	mustStore(t, g, batch(0, 1))
	closeStore(t, s)
	_, loadErr := g.Load(0, "acc-1")
	_, _, answerErr := g.Answered(0, commandID(1, 1))
	_, openErr := g.Open(1)
	_, groupErr := s.Group(muster.NewGroup("late"), "", nil)
	for _, err := range []error{loadErr, answerErr, openErr, groupErr, g.Store(t.Context(), []muster.Changes{batch(0, 2)}), g.Reset(0, "x"), g.Each(0, nil)} {
		if !errors.Is(err, journal.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
	g.Release(0)
}

func TestRefusedChanges(t *testing.T) {
	g := openGroup(t, open(t, journal.Config{}))
	mustStore(t, g, batch(0, 2))
	for name, c := range map[string]muster.Changes{
		"ends at journal offset 5":  {Next: 5},
		"last event lies at offset": {Next: 7, LastEvent: "e", LastAt: 7},
		"id of the last event":      {Next: 7, LastEvent: strings.Repeat("e", 2000)},
		"command id has 0 bytes":    {Next: 7, Answers: []muster.Remembered{{}}},
		"command id has 256 bytes":  {Next: 7, Answers: []muster.Remembered{{CommandID: strings.Repeat("x", 256)}}},
	} {
		err := g.Store(t.Context(), []muster.Changes{batch(1, 1), c})
		part := strings.Replace(name, "ends at", "end at", 1)
		if !errors.Is(err, journal.ErrOrder) || !strings.Contains(err.Error(), "accounts[0]") || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v", name, err)
		}
		wantBatches(t, g, 1, 0, 1)
	}
}

func TestEach(t *testing.T) {
	g := openGroup(t, open(t, journal.Config{}))
	mustStore(t, g, batch(1, 1), batch(2, 4))
	var seen []string
	if err := g.Each(2, func(s muster.StoredState) error {
		seen = append(seen, s.AggregateID+" "+string(s.Data))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(seen, ", "); got != "acc-0 0 after 4, acc-1 1 after 4, acc-2 2 after 4" {
		t.Fatal(got)
	}
	enough := errors.New("enough")
	if err := g.Each(2, func(muster.StoredState) error { return enough }); !errors.Is(err, enough) {
		t.Fatal(err)
	}
}

func TestConfigFaults(t *testing.T) {
	err := journal.Config{CacheBytes: -1, WriteBufferBytes: 1, DedupWindow: -1, DedupIDs: -1}.Validate()
	for _, field := range []string{"CacheBytes", "WriteBufferBytes", "DedupWindow", "DedupIDs"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s is not reported: %v", field, err)
		}
	}
	if _, openErr := journal.Open(journal.Config{DedupIDs: -1}); openErr == nil {
		t.Error("Open took it")
	}
	if err := (journal.Config{}).Validate(); err != nil {
		t.Errorf("the zero value: %v", err)
	}
}

// Ids are personal often enough: neither they nor states may reach the log, at any level.
func TestLogShowsNoIDs(t *testing.T) {
	var log bytes.Buffer
	cfg := journal.Config{WriteBufferBytes: 64 << 10, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	s := open(t, cfg)
	g := openGroup(t, s)
	for n := 1; n < 400; n++ {
		c := batch(0, n)
		c.States[0].AggregateID, c.States[0].Data = "secret-id", bytes.Repeat([]byte("secret-state"), 100)
		mustStore(t, g, c)
	}
	if err := g.Reset(0, "test"); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	if !strings.Contains(log.String(), "flushed") || !strings.Contains(log.String(), "reason=test") {
		t.Fatal("the log has not what this test is about")
	}
	if strings.Contains(log.String(), "secret") || strings.Contains(log.String(), "cmd-") {
		t.Fatal("the log shows ids or states")
	}
}

func TestObserveAndStats(t *testing.T) {
	var stored []journal.Stored
	s := open(t, journal.Config{Observe: journal.Observe{Stored: func(st journal.Stored) { stored = append(stored, st) }}})
	g := openGroup(t, s)
	mustStore(t, g, batch(0, 1), batch(1, 1), batch(1, 2))
	if len(stored) != 1 || stored[0].Group != "accounts" || stored[0].Partitions != 2 || stored[0].States != 9 || stored[0].Answers != 12 || stored[0].Bytes < 500 || stored[0].Took <= 0 {
		t.Fatalf("%+v", stored)
	}
	stats := s.Stats()
	if stats.WindowIDs != 12 || stats.WindowBytes == 0 || stats.WriteBufferBytes == 0 || stats.DiskBytes == 0 || stats.Troubled {
		t.Fatalf("%+v", stats)
	}
	closeStore(t, s)
	if stats = s.Stats(); stats != (journal.Stats{}) {
		t.Fatalf("after Close: %+v", stats)
	}
}
