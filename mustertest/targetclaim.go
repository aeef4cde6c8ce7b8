package mustertest

import (
	"errors"

	"github.com/seed-3eec0498/muster/projector"
)

func (s *targetSuite) again() {
	shard := suiteShard(0, 0)
	for n := range 4 {
		h := s.claim(s.Target, shard)
		if n > 0 {
			s.same(s.stored(h), projector.Stored{Checkpoints: suiteChange(shard, int64(n)).Checkpoints})
		}
		s.commit(h, shard, map[string]string{"a": "1"}, suiteChange(shard, int64(n)+1))
		h.Release()
	}
	s.rows(shard, map[string]string{"a": "1"})
}

func (s *targetSuite) releaseOpen() {
	shard := suiteShard(0, 0)
	h := s.claim(s.Target, shard)
	batch := s.begin(h, shard, map[string]string{"a": "wrong"})
	h.Release()
	next := s.claim(s.Target, shard) // must not wait for what the batch has locked
	s.commit(next, shard, map[string]string{"a": "right"}, suiteChange(shard, 3))
	if err := batch.Commit(s.Context(), suiteChange(shard, 9)); err == nil {
		s.Fatalf("a batch was committed after its holding had been released")
	}
	s.rows(shard, map[string]string{"a": "right"})
	s.same(s.stored(next), projector.Stored{Checkpoints: suiteChange(shard, 3).Checkpoints})
	next.Release()
}

func (s *targetSuite) fenced() { s.fencedBy(s.Target) }

func (s *targetSuite) fencedBeside() {
	if s.Beside == nil {
		s.Skip("this target belongs to one process: the fixture has no Beside")
	}
	s.fencedBy(s.Beside())
}

// fencedBy lets another claim the shard before a holder begins, and while it has a batch open.
func (s *targetSuite) fencedBy(other projector.Target) {
	shard, untouched := suiteShard(0, 0), suiteShard(1, 0)
	old, aside := s.claim(s.Target, shard), s.claim(s.Target, untouched)
	s.commit(old, shard, map[string]string{"a": "1"}, suiteChange(shard, 3))
	newer := s.claim(other, shard)
	s.same(s.stored(newer), projector.Stored{Checkpoints: suiteChange(shard, 3).Checkpoints})
	s.late(old, shard)
	s.commit(newer, shard, map[string]string{"a": "2"}, suiteChange(shard, 5))
	s.late(old, shard)
	s.rows(shard, map[string]string{"a": "2"})
	s.commit(aside, untouched, map[string]string{"z": "1"}, suiteChange(untouched, 3))

	back := s.claim(s.Target, shard)
	s.late(newer, shard)
	s.commit(back, shard, map[string]string{"a": "3"}, suiteChange(shard, 7))
	s.rows(shard, map[string]string{"a": "3"})
	s.same(s.stored(back), projector.Stored{Checkpoints: suiteChange(shard, 7).Checkpoints})
	s.rows(untouched, map[string]string{"z": "1"})
}

// late fails the test unless a fenced holder is told so, at the latest by Commit.
func (s *targetSuite) late(h projector.Holding, shard projector.Shard) {
	s.Helper()
	batch, err := h.Begin(s.Context())
	if err != nil {
		if !errors.Is(err, projector.ErrFenced) {
			s.Fatalf("Begin by a holder that was fenced gives %v, want ErrFenced", err)
		}
		return
	}
	defer batch.Rollback()
	batch.Before(&projector.Running{Shard: shard, Key: "late", ID: "late"})
	if err := s.Put(batch.Tx(), shard, "late", "wrong"); err != nil {
		return // the target found out before the commit
	}
	s.refused(batch, suiteChange(shard, 99))
}

func (s *targetSuite) crash() {
	if s.Crash == nil {
		s.Skip("nothing of this target outlives the process: the fixture has no Crash")
	}
	shard := suiteShard(0, 0)
	h := s.claim(s.Target, shard)
	change := suiteChange(shard, 3)
	change.Put, change.Acts = []projector.Letter{suiteLetter("a", projector.Parked, "1"), suiteLetter("b", projector.Waiting, "1")}, 4
	s.commit(h, shard, map[string]string{"a": "1"}, change)
	s.begin(h, shard, map[string]string{"a": "lost", "b": "lost"})
	target := s.Crash()
	next := s.claim(target, shard)
	s.rows(shard, map[string]string{"a": "1"})
	s.same(s.stored(next), projector.Stored{Checkpoints: change.Checkpoints, Letters: change.Put, Acts: 4})
	s.commit(next, shard, map[string]string{"b": "2"}, suiteChange(shard, 4))
	s.rows(shard, map[string]string{"a": "1", "b": "2"})
}

func (s *targetSuite) broken() {
	if s.Break == nil {
		s.Skip("this target's commits cannot be made to fail: the fixture has no Break")
	}
	shard := suiteShard(0, 0)
	h := s.claim(s.Target, shard)
	s.commit(h, shard, map[string]string{"a": "1"}, suiteChange(shard, 3))
	change := suiteChange(shard, 5)
	change.Put, change.Acts = []projector.Letter{suiteLetter("a", projector.Parked, "1")}, 4
	batch := s.begin(h, shard, map[string]string{"a": "2"})
	s.Break()
	if err := batch.Commit(s.Context(), change); err == nil {
		s.Fatalf("a commit that was broken succeeded")
	}
	batch.Rollback()
	s.rows(shard, map[string]string{"a": "1"})
	h.Release()
	h = s.claim(s.Target, shard)
	s.same(s.stored(h), projector.Stored{Checkpoints: suiteChange(shard, 3).Checkpoints})
	s.commit(h, shard, map[string]string{"a": "2"}, change)
	s.rows(shard, map[string]string{"a": "2"})
}

func (s *targetSuite) doubt() {
	if s.Doubt == nil {
		s.Skip("the outcome of this target's commits is always known: the fixture has no Doubt")
	}
	shard := suiteShard(0, 0)
	h := s.claim(s.Target, shard)
	batch := s.begin(h, shard, map[string]string{"a": "1"})
	s.Doubt()
	if err := batch.Commit(s.Context(), suiteChange(shard, 3)); err == nil {
		s.Fatalf("a commit whose answer was lost succeeded")
	}
	batch.Rollback()
	h.Release()
	h = s.claim(s.Target, shard)
	s.same(s.stored(h), projector.Stored{Checkpoints: suiteChange(shard, 3).Checkpoints})
	s.rows(shard, map[string]string{"a": "1"})
}

func (s *targetSuite) drop() {
	gone, stays := suiteShard(0, 0), suiteShard(0, 1)
	for _, shard := range []projector.Shard{gone, stays} {
		h := s.claim(s.Target, shard)
		change := suiteChange(shard, 3)
		change.Put, change.Acts = []projector.Letter{suiteLetter("a", projector.Parked, "1")}, 4
		s.commit(h, shard, map[string]string{"a": "1"}, change)
		h.Release()
	}
	if err := s.Target.Drop(s.Context(), gone); err != nil {
		s.Fatalf("Drop: %v", err)
	}
	if err := s.Target.Drop(s.Context(), gone); err != nil {
		s.Fatalf("Drop of a shard that is not there: %v", err)
	}
	if !s.DropKeepsRows {
		s.rows(gone, map[string]string{})
	}
	s.same(s.stored(s.claim(s.Target, gone)), projector.Stored{})
	s.rows(stays, map[string]string{"a": "1"})
	if got := s.stored(s.claim(s.Target, stays)); len(got.Letters) != 1 || got.Acts != 4 || len(got.Checkpoints) != 1 {
		s.Fatalf("dropping generation 0 left %+v of generation 1", got)
	}
}
