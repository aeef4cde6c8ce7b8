package journal_test

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/journal"
)

// answers is the n-th batch with so many command ids and nothing else.
func answers(n, count int, at time.Time) muster.Changes {
	c := muster.Changes{Next: int64(n), Time: at}
	for i := range count {
		c.Answers = append(c.Answers, muster.Remembered{CommandID: commandID(n, i), Offset: -1, Time: at, Outcome: []byte("refused")})
	}
	return c
}

func remembered(t *testing.T, g *journal.GroupStore, n, i int) bool {
	t.Helper()
	_, ok, err := g.Answered(0, commandID(n, i))
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func TestDedupByCount(t *testing.T) {
	mem := vfs.NewMem()
	cfg := journal.Config{Dir: "state", FS: mem, DedupIDs: 100}
	s := open(t, cfg)
	g := openGroup(t, s)
	for n := 1; n <= 30; n++ {
		mustStore(t, g, answers(n, 10, noon))
	}
	check := func() {
		t.Helper()
		for n := 1; n <= 30; n++ {
			if got := remembered(t, g, n, n%10); got != (n > 20) {
				t.Fatalf("batch %d is remembered: %v; 100 ids are kept, the youngest", n, got)
			}
		}
		if at, _ := g.Checkpoint(0); at.Answers != 100 {
			t.Fatalf("%d ids", at.Answers)
		}
	}
	check()
	closeStore(t, s)
	if rows := answerRows(t, mem); rows != 10 {
		t.Fatalf("%d batches of answers are on disk, 10 are remembered", rows)
	}
	g = openGroup(t, open(t, cfg))
	check()
	mustStore(t, g, answers(31, 1200, noon)) // one batch alone above the limit is kept whole
	if !remembered(t, g, 31, 0) || !remembered(t, g, 31, 1199) || remembered(t, g, 30, 0) {
		t.Fatal("a large batch")
	}
}

// answerRows counts the batches of answers of partition 0 in a closed store.
func answerRows(t *testing.T, mem vfs.FS) (n int) {
	t.Helper()
	db, err := pebble.Open("state", &pebble.Options{FS: mem, Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := db.NewIter(&pebble.IterOptions{LowerBound: journal.AnswersKey(1, 0, 0), UpperBound: journal.AnswersKey(1, 0, 1<<63)})
	if err != nil {
		t.Fatal(err)
	}
	for rows.First(); rows.Valid(); rows.Next() {
		n++
	}
	if err := errors.Join(rows.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestDedupByTime(t *testing.T) {
	mem := vfs.NewMem()
	cfg := journal.Config{Dir: "state", FS: mem, DedupWindow: time.Hour}
	s := open(t, cfg)
	g := openGroup(t, s)
	at := noon
	for n := 1; n <= 60; n++ {
		at = noon.Add(time.Duration(n) * time.Minute)
		mustStore(t, g, answers(n, 3, at))
	}
	if !remembered(t, g, 1, 0) {
		t.Fatal("an hour is not over")
	}
	mustStore(t, g, answers(61, 1, at.Add(2*time.Minute)))
	if remembered(t, g, 1, 0) || !remembered(t, g, 2, 0) {
		t.Fatal("the first batch is older than an hour, the second is not")
	}
	mustStore(t, g, answers(62, 1, at.Add(-time.Hour))) // a clock that was set back
	if !remembered(t, g, 2, 0) || !remembered(t, g, 62, 0) {
		t.Fatal("a clock set back makes nothing older")
	}
	closeStore(t, s)
	s = open(t, cfg)
	g = openGroup(t, s)
	if remembered(t, g, 1, 0) || !remembered(t, g, 2, 0) || !remembered(t, g, 62, 0) {
		t.Fatal("after a restart")
	}
	mustStore(t, g, muster.Changes{Next: 63, Time: at.Add(24 * time.Hour)}) // many at once, without a new one
	if left, _ := g.Checkpoint(0); left.Answers != 0 || remembered(t, g, 62, 0) {
		t.Fatalf("a day later: %+v", left)
	}
	mustStore(t, g, answers(64, 2, at.Add(24*time.Hour)))
	closeStore(t, s)
	g = openGroup(t, open(t, cfg))
	if left, _ := g.Checkpoint(0); left.Answers != 2 || !remembered(t, g, 64, 1) {
		t.Fatalf("after another restart: %+v", left)
	}
}

// The window against a plain list: same answers, whatever comes and goes, also where positions wrap around.
func TestWindowModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type batch struct {
			ids     []string
			seconds int64
		}
		w, model := journal.NewWindow(), []batch(nil)
		w.SkipPositions(rapid.SampledFrom([]uint32{0, 1<<32 - 1, 1<<32 - 70, 1<<32 - 200}).Draw(t, "start"))
		first, now := 0, int64(1000)
		ids := rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 400), func(n int) string { return fmt.Sprint("id-", n) }), 1, 90)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			now += rapid.Int64Range(0, 20).Draw(t, "seconds")
			b := batch{ids: ids.Draw(t, "ids"), seconds: now}
			most, before := rapid.IntRange(1, 500).Draw(t, "most"), now-rapid.Int64Range(0, 100).Draw(t, "window")
			gone, count := 0, 0
			for _, m := range model {
				count += len(m.ids)
			}
			for gone < len(model) && (count+len(b.ids) > most || model[gone].seconds < before) {
				count -= len(model[gone].ids)
				gone++
			}
			if got := w.Excess(len(b.ids), most, before*1e6); got != gone {
				t.Fatalf("%d batches have to go, %d should", got, gone)
			}
			w.Drop(gone)
			model, first = model[gone:], first+gone
			for _, id := range b.ids {
				w.Add(id)
			}
			w.Seal(now * 1e6)
			model = append(model, b)
			if w.Count() != count+len(b.ids) {
				t.Fatalf("%d ids, want %d", w.Count(), count+len(b.ids))
			}
			id := fmt.Sprint("id-", rapid.IntRange(0, 420).Draw(t, "look for"))
			var want [][2]int
			for n := len(model) - 1; n >= 0; n-- {
				for i := len(model[n].ids) - 1; i >= 0; i-- {
					if model[n].ids[i] == id {
						want = append(want, [2]int{first + n, i})
					}
				}
			}
			if got := w.Find(id); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("%s is at %v, want %v", id, got, want)
			}
		}
	})
}

// A full window has to fit the memory that the documentation promises, also when commands come one by one. A quarter of the default size
// fills ring and table to the same degree.
func TestWindowMemory(t *testing.T) {
	const ids = 250_000
	for _, perBatch := range []int{1, 100} {
		w := journal.NewWindow()
		for n := 0; n < 2*ids; n += perBatch {
			w.Drop(w.Excess(perBatch, ids, 0))
			for i := range perBatch {
				w.Add(strconv.Itoa(n + i))
			}
			w.Seal(int64(n))
		}
		most := int64(24)
		if perBatch == 1 {
			most = 40
		}
		if w.Count() != ids || w.Bytes() > most*ids {
			t.Errorf("%d per batch: %d ids take %d bytes, at most %d each are allowed", perBatch, w.Count(), w.Bytes(), most)
		}
	}
}
