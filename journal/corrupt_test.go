package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/journal"
)

// damage changes the bytes of all files of a closed store whose names contain a word.
func damage(t *testing.T, mem vfs.FS, word string, change func([]byte) []byte) {
	t.Helper()
	names, err := mem.List("state")
	if err != nil {
		t.Fatal(err)
	}
	hit := 0
	for _, name := range names {
		if !strings.Contains(name, word) {
			continue
		}
		path := "state/" + name
		from, err := mem.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		info, err := from.Stat()
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() == 0 {
			continue // a marker, which has everything in its name
		}
		content := make([]byte, info.Size())
		if _, err := from.ReadAt(content, 0); err != nil {
			t.Fatal(err)
		}
		_ = from.Close()
		content = change(content)
		to, err := mem.Create(path, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := to.Write(content); err != nil {
			t.Fatal(err)
		}
		_ = to.Close()
		hit++
	}
	if hit == 0 {
		t.Fatalf("no file with %q among %v", word, names)
	}
}

func noise(b []byte) []byte {
	for i := range b {
		b[i] ^= 0x5a
	}
	return b
}

// aggregates is how many each of the two partitions of fillTables has.
const aggregates = 200

// fillTables makes a store in which everything lies in one table, in the order of keys: checkpoint, states and answers of partition 0, then
// those of partition 1. States are by far the most of it.
func fillTables(t *testing.T, mem vfs.FS) {
	t.Helper()
	random := rand.NewChaCha8([32]byte{1})
	s := open(t, journal.Config{Dir: "state", FS: mem})
	g := openGroup(t, s)
	for p := range int32(2) {
		for n := range aggregates {
			state := make([]byte, 2000)
			_, _ = random.Read(state)
			mustStore(t, g, muster.Changes{
				Partition: p, Next: int64(n) + 1, Time: noon,
				States:  []muster.StoredState{{AggregateID: aggregateID(n), Revision: 1, Offset: int64(n), Data: state}},
				Answers: []muster.Remembered{{CommandID: aggregateID(n), Revision: 1, Offset: int64(n), Time: noon}},
			})
		}
	}
	closeStore(t, s)
	closeStore(t, open(t, journal.Config{Dir: "state", FS: mem})) // writes out what the log holds
}

func aggregateID(n int) string { return fmt.Sprintf("agg-%03d", n) }

func TestDamagedStoreIsMovedAside(t *testing.T) {
	for name, c := range map[string]struct {
		harm   func(t *testing.T, mem vfs.FS)
		reason string
	}{
		"manifest":         {func(t *testing.T, mem vfs.FS) { damage(t, mem, "MANIFEST", noise) }, journal.ReasonCorrupt},
		"manifest missing": {func(t *testing.T, mem vfs.FS) { remove(t, mem, "MANIFEST-") }, journal.ReasonCorrupt},
		"tables missing":   {func(t *testing.T, mem vfs.FS) { remove(t, mem, ".sst") }, journal.ReasonCorrupt},
		"tables empty":     {func(t *testing.T, mem vfs.FS) { damage(t, mem, ".sst", func([]byte) []byte { return nil }) }, journal.ReasonCorrupt},
		"first block": {func(t *testing.T, mem vfs.FS) {
			damage(t, mem, ".sst", func(b []byte) []byte { noise(b[:300]); return b })
		}, journal.ReasonCorrupt},
		"newer pebble":    {newerPebble, journal.ReasonNewerFormat},
		"newer format":    {func(t *testing.T, mem vfs.FS) { writeRow(t, mem, journal.FormatKey(), journal.EncodeFormat(2)) }, journal.ReasonNewerFormat},
		"format nonsense": {func(t *testing.T, mem vfs.FS) { writeRow(t, mem, journal.FormatKey(), []byte("what")) }, journal.ReasonForeign},
		"format missing":  {func(t *testing.T, mem vfs.FS) { writeRow(t, mem, journal.FormatKey(), nil) }, journal.ReasonForeign},
	} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewMem()
			fillTables(t, mem)
			c.harm(t, mem)
			var log bytes.Buffer
			var heard []journal.Rebuilt
			for round := 1; round <= 2; round++ {
				s := open(t, journal.Config{
					Dir: "state", FS: mem, Logger: slog.New(slog.NewTextHandler(&log, nil)),
					Observe: journal.Observe{Rebuilt: func(r journal.Rebuilt) { heard = append(heard, r) }},
				})
				r, rebuilt := s.Rebuilt()
				if rebuilt != (round == 1) {
					t.Fatalf("round %d: rebuilt is %v", round, rebuilt)
				}
				if rebuilt && (r.Reason != c.reason || r.MovedTo != "state.corrupt-1" || r.Partition != -1 || r.Cause == nil) {
					t.Fatalf("%+v", r)
				}
				g := openGroup(t, s)
				wantBatches(t, g, 0, round-1, round)
				mustStore(t, g, batch(0, round))
				closeStore(t, s)
			}
			if len(heard) != 1 || !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "moved_to=state.corrupt-1") {
				t.Fatalf("not loud: %v, %s", heard, log.String())
			}
			if _, err := mem.Stat("state.corrupt-1/LOCK"); err != nil {
				t.Fatalf("the old store is not there: %v", err)
			}
		})
	}
}

func remove(t *testing.T, mem vfs.FS, word string) {
	t.Helper()
	names, err := mem.List("state")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasPrefix(name, word) || strings.HasSuffix(name, word) {
			if err := mem.Remove("state/" + name); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// newerPebble makes the store look as if a newer Pebble had written it.
func newerPebble(t *testing.T, mem vfs.FS) {
	names, err := mem.List("state")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if at := strings.LastIndexByte(name, '.'); strings.HasPrefix(name, "marker.format-version.") {
			if err := mem.Rename("state/"+name, "state/"+name[:at]+".999"); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// writeRow changes one row behind the store's back; a nil value deletes it.
func writeRow(t *testing.T, mem vfs.FS, key, value []byte) {
	t.Helper()
	db, err := pebble.Open("state", &pebble.Options{FS: mem, Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	if value == nil {
		err = db.Delete(key, nil)
	} else {
		err = db.Set(key, value, nil)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(string, ...any) {}

func TestSecondDamageGetsAnotherName(t *testing.T) {
	mem := vfs.NewMem()
	for n := 1; n <= 3; n++ {
		fill(t, mem, 5)
		damage(t, mem, "MANIFEST", noise)
		s := open(t, journal.Config{Dir: "state", FS: mem})
		if r, _ := s.Rebuilt(); r.MovedTo != fmt.Sprintf("state.corrupt-%d", n) {
			t.Fatalf("moved to %q", r.MovedTo)
		}
		closeStore(t, s)
		if err := mem.RemoveAll("state"); err != nil {
			t.Fatal(err)
		}
	}
}

// A log whose end is cut off is what a crash leaves: the store is read up to there.
func TestLogCutOff(t *testing.T) {
	mem := vfs.NewMem()
	s := open(t, journal.Config{Dir: "state", FS: mem})
	g := openGroup(t, s)
	for n := 1; n <= 50; n++ {
		mustStore(t, g, batch(0, n))
	}
	closeStore(t, s)
	damage(t, mem, ".log", func(b []byte) []byte { return b[:len(b)/2] })
	s = open(t, journal.Config{Dir: "state", FS: mem})
	if r, rebuilt := s.Rebuilt(); rebuilt {
		t.Fatalf("given up: %v", r.Cause)
	}
	g = openGroup(t, s)
	at, _ := g.Checkpoint(0)
	if n := int(at.Next) / 3; n == 0 || n >= 50 {
		t.Fatalf("half of the log has %d of 50 batches", n)
	}
	wantBatches(t, g, 0, int(at.Next)/3, 50)
}

// A table with a bad block is found when it is read: the call says so, a reset partition goes on, the others still serve, and the next start
// begins anew.
func TestDamagedTable(t *testing.T) {
	mem := vfs.NewMem()
	fillTables(t, mem)
	damage(t, mem, ".sst", func(b []byte) []byte { noise(b[len(b)/5 : len(b)/4]); return b })
	var log bytes.Buffer
	s := open(t, journal.Config{Dir: "state", FS: mem, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	g := openGroup(t, s)
	lost := 0
	for n := range aggregates {
		_, err := g.Load(0, aggregateID(n))
		if err == nil {
			continue
		}
		lost++
		if !errors.Is(err, journal.ErrCorrupt) || !strings.Contains(err.Error(), "accounts[0]") || !strings.Contains(err.Error(), "reset the partition") {
			t.Fatalf("Load answers %v", err)
		}
	}
	if lost == 0 || lost == aggregates {
		t.Fatalf("%d of %d states are lost; a part of them should be", lost, aggregates)
	}
	if err := g.Each(0, func(muster.StoredState) error { return nil }); !errors.Is(err, journal.ErrCorrupt) {
		t.Fatalf("Each answers %v", err)
	}
	if !strings.Contains(log.String(), "level=ERROR") || strings.Contains(log.String(), "agg-") {
		t.Fatalf("not loud, or with ids: %s", log.String())
	}
	if err := g.Reset(0, journal.ReasonCorrupt); err != nil {
		t.Fatal(err)
	}
	wantBatches(t, g, 0, 0, 1)
	for n := range aggregates {
		if state, err := g.Load(0, aggregateID(n)); err != nil || state.Revision != 0 {
			t.Fatalf("after Reset: %v, %v", state, err)
		}
		if state, err := g.Load(1, aggregateID(n)); err != nil || state.Revision != 1 {
			t.Fatalf("the other partition: %v, %v", state, err)
		}
	}
	mustStore(t, g, batch(0, 1))
	wantBatches(t, g, 0, 1, 1)
	closeStore(t, s)

	again := open(t, journal.Config{Dir: "state", FS: mem})
	if r, rebuilt := again.Rebuilt(); !rebuilt || r.Reason != journal.ReasonCorrupt {
		t.Fatalf("the next start trusts the store: %+v", r)
	}
}

// Where the damage is met by opening a partition, that one is wiped and the checkpoint says so.
func TestDamageMetByOpen(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, mem vfs.FS){
		"a bad block": func(t *testing.T, mem vfs.FS) {
			damage(t, mem, ".sst", func(b []byte) []byte { noise(b[len(b)*2/5 : len(b)*3/5]); return b })
		},
		"a checkpoint cut off": func(t *testing.T, mem vfs.FS) { writeRow(t, mem, journal.MetaKey(1, 0), []byte{1, 2, 3}) },
		"no checkpoint":        func(t *testing.T, mem vfs.FS) { writeRow(t, mem, journal.MetaKey(1, 0), nil) },
		"a foreign row":        func(t *testing.T, mem vfs.FS) { writeRow(t, mem, append(journal.MetaKey(1, 0)[:6], 3, 1), []byte{1}) },
		"an answer cut off":    func(t *testing.T, mem vfs.FS) { writeRow(t, mem, journal.AnswersKey(1, 0, 7), []byte{1}) },
		"answers missing":      func(t *testing.T, mem vfs.FS) { writeRow(t, mem, journal.AnswersKey(1, 0, aggregates-1), nil) },
		"a hole in answers":    func(t *testing.T, mem vfs.FS) { writeRow(t, mem, journal.AnswersKey(1, 0, 7), nil) },
	} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewMem()
			fillTables(t, mem)
			harm(t, mem)
			var heard []journal.Rebuilt
			s, err := journal.Open(journal.Config{
				Dir: "state", FS: mem,
				Observe: journal.Observe{Rebuilt: func(r journal.Rebuilt) { heard = append(heard, r) }},
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			if r, rebuilt := s.Rebuilt(); rebuilt {
				t.Fatalf("all was given up: %v", r.Cause)
			}
			g, err := s.Group(accounts, "", nil)
			if err != nil {
				t.Fatal(err)
			}
			at := openPartition(t, g, 0)
			if at.Wiped != journal.ReasonCorrupt || at.Next != 0 {
				t.Fatalf("checkpoint %+v", at)
			}
			if len(heard) != 1 || heard[0].Group != "accounts" || heard[0].Partition != 0 || heard[0].Reason != journal.ReasonCorrupt || heard[0].Cause == nil {
				t.Fatalf("heard %+v", heard)
			}
			if at = openPartition(t, g, 1); name != "a bad block" && (at.Wiped != "" || at.Next != aggregates) {
				t.Fatalf("the other partition: %+v", at)
			}
			mustStore(t, g, batch(0, 1))
			wantBatches(t, g, 0, 1, 1)
		})
	}
}

func TestNewerCheckpoint(t *testing.T) {
	mem := vfs.NewMem()
	fillTables(t, mem)
	writeRow(t, mem, journal.MetaKey(1, 0), append([]byte{2}, make([]byte, 80)...))
	s := open(t, journal.Config{Dir: "state", FS: mem})
	g, err := s.Group(accounts, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if at := openPartition(t, g, 0); at.Wiped != journal.ReasonNewerFormat || at.Next != 0 {
		t.Fatalf("checkpoint %+v", at)
	}
}
