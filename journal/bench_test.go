package journal_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/journal"
)

// load makes changes as a busy lane does: count commands on as many of many aggregates, 150 bytes of state and 60 of outcome each.
type load struct {
	random *rand.Rand
	ids    []string
	next   [8]int64
	n      uint64
	data   []byte
}

func newLoad(aggregates int) *load {
	l := &load{random: rand.New(rand.NewPCG(1, 2)), data: make([]byte, 150)}
	for n := range aggregates {
		l.ids = append(l.ids, fmt.Sprintf("account-%08d", n))
	}
	for i := range l.data {
		l.data[i] = byte(l.random.IntN(64))
	}
	return l
}

func (l *load) commandID(n uint64) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], n*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(b[8:], n)
	return fmt.Sprintf("%x", b)
}

func (l *load) changes(p int32, count int, pick func(i int) string) muster.Changes {
	c := muster.Changes{Partition: p, Time: noon.Add(time.Duration(l.n) * time.Microsecond), LastEvent: "last"}
	for i := range count {
		l.n++
		c.States = append(c.States, muster.StoredState{AggregateID: pick(i), Revision: l.n, Offset: l.next[p], Data: l.data})
		c.Answers = append(c.Answers, muster.Remembered{CommandID: l.commandID(l.n), Fingerprint: uint32(l.n), Revision: l.n, Offset: l.next[p], Time: c.Time, Outcome: l.data[:60]})
		l.next[p]++
	}
	c.LastAt, c.Next = l.next[p]-1, l.next[p]
	return c
}

func (l *load) any(int) string { return l.ids[l.random.IntN(len(l.ids))] }

func BenchmarkStore(b *testing.B) {
	for _, count := range []int{1, 100, 5000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			g := openGroup(b, open(b, journal.Config{Dir: b.TempDir()}))
			l := newLoad(200_000)
			b.ReportAllocs()
			total := 0
			for b.Loop() {
				b.StopTimer()
				c := l.changes(0, count, l.any)
				b.StartTimer()
				mustStore(b, g, c)
				total += count
			}
			b.ReportMetric(float64(total)/b.Elapsed().Seconds(), "states/s")
		})
	}
}

// filled gives a store with 200,000 aggregates of one partition, each with an answer, on disk and compacted as far as that came by itself.
func filled(b *testing.B) (*journal.GroupStore, *load) {
	const aggregates = 200_000
	dir, l := b.TempDir(), newLoad(aggregates)
	s := open(b, journal.Config{Dir: dir})
	g := openGroup(b, s)
	for from := 0; from < aggregates; from += 5000 {
		mustStore(b, g, l.changes(0, 5000, func(i int) string { return l.ids[from+i] }))
	}
	closeStore(b, s)
	return openGroup(b, open(b, journal.Config{Dir: dir})), l
}

func BenchmarkLoad(b *testing.B) {
	g, l := filled(b)
	read := func(b *testing.B, id func() string, want bool) {
		b.ReportAllocs()
		for b.Loop() {
			if state, err := g.Load(0, id()); err != nil || (state.Revision > 0) != want {
				b.Fatal(state, err)
			}
		}
	}
	b.Run("any of 200,000", func(b *testing.B) { read(b, func() string { return l.any(0) }, true) })
	b.Run("one of 100", func(b *testing.B) { read(b, func() string { return l.ids[1000+l.random.IntN(100)] }, true) })
	b.Run("none", func(b *testing.B) { read(b, func() string { return "nobody-" + l.ids[l.random.IntN(100)] }, false) })
}

func BenchmarkAnswered(b *testing.B) {
	g, l := filled(b)
	read := func(b *testing.B, id func() string, want bool) {
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			look := id()
			b.StartTimer()
			if _, ok, err := g.Answered(0, look); err != nil || ok != want {
				b.Fatal(ok, err)
			}
		}
	}
	b.Run("new", func(b *testing.B) {
		read(b, func() string { return l.commandID(1<<40 + l.random.Uint64N(1<<40)) }, false)
	})
	b.Run("repeat", func(b *testing.B) { read(b, func() string { return l.commandID(1 + l.random.Uint64N(200_000)) }, true) })
}

// BenchmarkOpen opens a partition that remembers 200,000 command ids.
func BenchmarkOpen(b *testing.B) {
	g, _ := filled(b)
	for b.Loop() {
		g.Release(0)
		if at, err := g.Open(0); err != nil || at.Answers != 200_000 {
			b.Fatal(at, err)
		}
	}
}
