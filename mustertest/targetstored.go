package mustertest

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// suiteChange is one with a checkpoint of the shard's first source.
func suiteChange(shard projector.Shard, next int64) projector.Change {
	return projector.Change{Checkpoints: []projector.Checkpoint{suiteCheckpoint(shard.Sources[0], next)}}
}

// same fails the test unless what is stored is what is wanted, in the order of letters; checkpoints come in any order.
func (s *targetSuite) same(got, want projector.Stored) {
	s.Helper()
	if got.Acts != want.Acts {
		s.Fatalf("acts are at %d, want %d", got.Acts, want.Acts)
	}
	order := func(a, b projector.Checkpoint) int { return strings.Compare(a.Source.String(), b.Source.String()) }
	have, wanted := slices.Clone(got.Checkpoints), slices.Clone(want.Checkpoints)
	slices.SortFunc(have, order)
	slices.SortFunc(wanted, order)
	for _, all := range [][]projector.Checkpoint{have, wanted} {
		for i := range all {
			all[i].Time = all[i].Time.UTC()
		}
	}
	if len(have)+len(wanted) > 0 && !reflect.DeepEqual(have, wanted) {
		s.Fatalf("checkpoints are\n%+v, want\n%+v", have, wanted)
	}
	if len(got.Letters) != len(want.Letters) {
		s.Fatalf("%d letters are stored, want %d", len(got.Letters), len(want.Letters))
	}
	for i := range got.Letters {
		if g, w := plainLetter(got.Letters[i]), plainLetter(want.Letters[i]); !reflect.DeepEqual(g, w) {
			s.Fatalf("letter %d is\n%+v, want\n%+v", i, g, w)
		}
	}
}

// plainLetter evens out what may differ: the zone of times, nil and empty.
func plainLetter(l projector.Letter) projector.Letter {
	l.At, l.Event.Time = l.At.UTC(), l.Event.Time.UTC()
	if l.At.IsZero() {
		l.At = time.Time{}
	}
	if len(l.Event.Headers) == 0 {
		l.Event.Headers = nil
	}
	l.Event.Payload = append([]byte{}, l.Event.Payload...)
	return l
}

func (s *targetSuite) empty() {
	shard := suiteShard(0, 0)
	h := s.claim(s.Target, shard)
	s.same(s.stored(h), projector.Stored{})
	s.rows(shard, map[string]string{})
	h.Release()
}

func (s *targetSuite) together() {
	shard := suiteShard(0, 0)
	h := s.claim(s.Target, shard)
	change := suiteChange(shard, 8)
	change.Put, change.Acts = []projector.Letter{suiteLetter("a", projector.Parked, "accounts/1")}, 12
	batch := s.begin(h, shard, map[string]string{"a": "1", "b": "2"})
	s.rows(shard, map[string]string{})
	if err := batch.Commit(s.Context(), change); err != nil {
		s.Fatalf("Commit: %v", err)
	}
	batch.Rollback() // after a commit it does nothing
	s.rows(shard, map[string]string{"a": "1", "b": "2"})
	s.same(s.stored(h), projector.Stored{Checkpoints: change.Checkpoints, Letters: change.Put, Acts: 12})
	s.commit(h, shard, map[string]string{"b": "3"}, suiteChange(shard, 9))
	s.rows(shard, map[string]string{"a": "1", "b": "3"})
	s.same(s.stored(h), projector.Stored{Checkpoints: suiteChange(shard, 9).Checkpoints, Letters: change.Put, Acts: 12})
}

func (s *targetSuite) rolledBack() {
	shard := suiteShard(0, 0)
	h := s.claim(s.Target, shard)
	s.commit(h, shard, map[string]string{"a": "1"}, suiteChange(shard, 8))
	batch := s.begin(h, shard, map[string]string{"a": "wrong", "b": "wrong"})
	batch.Rollback()
	s.rows(shard, map[string]string{"a": "1"})
	s.commit(h, shard, map[string]string{"c": "3"}, suiteChange(shard, 10))
	s.rows(shard, map[string]string{"a": "1", "c": "3"})
	s.same(s.stored(h), projector.Stored{Checkpoints: suiteChange(shard, 10).Checkpoints})
}

func (s *targetSuite) checkpoints() {
	shard := suiteShard(1<<31-1, 0)
	h := s.claim(s.Target, shard)
	first := projector.Checkpoint{Source: shard.Sources[0], TopicID: [16]byte{255, 255}, Next: 0, LastAt: -1}
	second := suiteCheckpoint(shard.Sources[1], 1<<62)
	second.LastEvent = strings.Repeat("é", 100)
	s.commit(h, shard, nil, projector.Change{Checkpoints: []projector.Checkpoint{first, second}})
	s.same(s.stored(h), projector.Stored{Checkpoints: []projector.Checkpoint{first, second}})
	moved := suiteCheckpoint(shard.Sources[0], 5)
	s.commit(h, shard, nil, projector.Change{Checkpoints: []projector.Checkpoint{moved}})
	s.same(s.stored(h), projector.Stored{Checkpoints: []projector.Checkpoint{moved, second}})
	back := suiteCheckpoint(shard.Sources[0], 2) // an operator may want it so
	s.commit(h, shard, nil, projector.Change{Checkpoints: []projector.Checkpoint{back}})
	s.same(s.stored(h), projector.Stored{Checkpoints: []projector.Checkpoint{back, second}})
}

func (s *targetSuite) letters() {
	shard := suiteShard(0, 0)
	h := s.claim(s.Target, shard)
	bad := projector.Letter{
		ID: "bad", Kind: projector.Skipped, Reason: projector.ReasonBadRecord, Cause: "header ce_id is missing", Attempts: 1, At: suiteTime,
		Event: muster.Event{Meta: muster.Meta{Topic: "accounts.events", Partition: 0, Offset: 1 << 40}},
	}
	large := suiteLetter("large", projector.Parked, strings.Repeat("k", 500))
	large.Event.Payload = []byte(strings.Repeat("\x00\xff", 450<<10))
	letters := []projector.Letter{suiteLetter("a", projector.Parked, "größe ☃/1"), suiteLetter("b", projector.Waiting, "größe ☃/1"), bad, large}
	s.commit(h, shard, nil, projector.Change{Put: letters})
	s.same(s.stored(h), projector.Stored{Letters: letters})
}

func (s *targetSuite) letterOrder() {
	shard := suiteShard(0, 0)
	h := s.claim(s.Target, shard)
	var want []projector.Letter
	for n := range 30 {
		// ids and keys neither grow nor shrink, so that the order is that of putting aside and no other
		l := suiteLetter(fmt.Sprintf("%d/%d", (n*7)%30, n), projector.Waiting, fmt.Sprint("key ", (n*11)%5))
		want = append(want, l)
		if n%3 == 2 {
			s.commit(h, shard, nil, projector.Change{Put: want[n-2:]})
		}
	}
	s.same(s.stored(h), projector.Stored{Letters: want})
	h.Release()
	s.same(s.stored(s.claim(s.Target, shard)), projector.Stored{Letters: want})
}

func (s *targetSuite) letterChanges() {
	shard := suiteShard(0, 0)
	h := s.claim(s.Target, shard)
	a, b, c := suiteLetter("a", projector.Parked, "1"), suiteLetter("b", projector.Waiting, "1"), suiteLetter("c", projector.Skipped, "2")
	s.commit(h, shard, nil, projector.Change{Put: []projector.Letter{a, b, c}})
	b.Kind, b.Reason, b.Cause, b.Attempts = projector.Parked, projector.ReasonPanic, "again", 6
	d := suiteLetter("d", projector.Waiting, "1")
	s.commit(h, shard, nil, projector.Change{Remove: []string{"a"}, Put: []projector.Letter{b, d}})
	s.same(s.stored(h), projector.Stored{Letters: []projector.Letter{b, c, d}})
	s.commit(h, shard, nil, projector.Change{Remove: []string{"b", "c", "d", "never there"}})
	s.same(s.stored(h), projector.Stored{})
}

func (s *targetSuite) acts() {
	shard := suiteShard(0, 0)
	h := s.claim(s.Target, shard)
	s.commit(h, shard, nil, projector.Change{Acts: 1 << 61})
	s.commit(h, shard, map[string]string{"a": "1"}, suiteChange(shard, 3))
	if got := s.stored(h).Acts; got != 1<<61 {
		s.Fatalf("acts are at %d after a change that does not name them, want %d", got, int64(1)<<61)
	}
}

func (s *targetSuite) apart() {
	shards := []projector.Shard{suiteShard(0, 0), suiteShard(1, 0), suiteShard(0, 1), suiteShard(projector.Whole, 0)}
	other := suiteShard(0, 0)
	other.Projection, other.Version = "totals@2", 2
	shards = append(shards, other)
	for i, shard := range shards {
		h := s.claim(s.Target, shard)
		change := projector.Change{Checkpoints: []projector.Checkpoint{suiteCheckpoint(shards[0].Sources[0], int64(i)+1)}, Acts: int64(i) + 1}
		change.Put = []projector.Letter{suiteLetter("same", projector.Parked, strconv.Itoa(i))}
		s.commit(h, shard, map[string]string{"same": strconv.Itoa(i)}, change)
		h.Release()
	}
	for i, shard := range shards {
		h := s.claim(s.Target, shard)
		s.rows(shard, map[string]string{"same": strconv.Itoa(i)})
		s.same(s.stored(h), projector.Stored{
			Checkpoints: []projector.Checkpoint{suiteCheckpoint(shards[0].Sources[0], int64(i)+1)}, Acts: int64(i) + 1,
			Letters: []projector.Letter{suiteLetter("same", projector.Parked, strconv.Itoa(i))},
		})
		h.Release()
	}
}

func (s *targetSuite) changeOnly() {
	shard := suiteShard(0, 0)
	h := s.claim(s.Target, shard)
	s.commit(h, shard, nil, suiteChange(shard, 4))
	s.commit(h, shard, nil, projector.Change{})
	s.rows(shard, map[string]string{})
	s.same(s.stored(h), projector.Stored{Checkpoints: suiteChange(shard, 4).Checkpoints})
}

func (s *targetSuite) big() {
	shard := suiteShard(0, 0)
	h := s.claim(s.Target, shard)
	rows, change := map[string]string{}, suiteChange(shard, 2000)
	for n := range 2000 {
		rows[fmt.Sprint("key-", n)] = strings.Repeat("x", 100)
	}
	for n := range 200 {
		change.Put = append(change.Put, suiteLetter(fmt.Sprint("letter-", n), projector.Waiting, fmt.Sprint(n%7)))
	}
	s.commit(h, shard, rows, change)
	s.rows(shard, rows)
	s.same(s.stored(h), projector.Stored{Checkpoints: change.Checkpoints, Letters: change.Put})
}

func (s *targetSuite) notKept() {
	shard := suiteShard(0, 0)
	h := s.claim(s.Target, shard)
	change := suiteChange(shard, 4)
	change.Put = []projector.Letter{suiteLetter("a", projector.Parked, "1")}
	s.commit(h, shard, nil, change)
	change.Checkpoints[0].Next, change.Put[0].Key, change.Put[0].Event.Payload[0], change.Put[0].Event.Headers[0].Value[0] = 99, "wrong", 'X', 'X'
	s.same(s.stored(h), projector.Stored{Checkpoints: suiteChange(shard, 4).Checkpoints, Letters: []projector.Letter{suiteLetter("a", projector.Parked, "1")}})
}
