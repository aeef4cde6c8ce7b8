package muster_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed-3eec0498/muster"
)

// prefix gives what the store of an owner holds that has read the journal of one partition up to an offset.
func (w *world) prefix(partition int32, to int64) *store {
	w.t.Helper()
	s := newStore()
	p := muster.NewProcessor(w.behaviour, muster.ProcessorConfig{Codec: muster.PlainCodec{}, States: s})
	p.Take(partition, 0)
	events := slices.DeleteFunc(slices.Clone(w.journal.events[partition]), func(e muster.Event) bool { return e.Offset >= to })
	changes, err := p.Replay(partition, events, to)
	if err != nil {
		w.t.Fatalf("replay: %v", err)
	}
	if err := s.Store(w.t.Context(), []muster.Changes{changes}); err != nil {
		w.t.Fatal(err)
	}
	return s
}

// Whatever snapshots a recovery starts from, whatever has been trimmed behind them, however it is cut and wherever it is interrupted: the
// states are those of the full history, and so are the answers of the window.
func TestSnapshotsAndTrimmingNeverShow(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(drawn{t, rt}, newBank().Account.Behaviour())
		for range rapid.IntRange(1, 8).Draw(rt, "batches") {
			w.do(rapid.SliceOfN(rapid.Custom(anyCommand), 1, 8).Draw(rt, "commands")...)
		}
		for _, partition := range slices.Sorted(maps.Keys(w.journal.events)) {
			end := w.journal.end[partition]
			want := w.prefix(partition, end)
			pass := rapid.Int64Range(0, end).Draw(rt, "pass")
			base := w.prefix(partition, pass).states
			for key, state := range w.prefix(partition, rapid.Int64Range(pass, end).Draw(rt, "a pass that was not completed")).states {
				if rapid.Bool().Draw(rt, "written") {
					base[key] = state
				}
			}
			window := rapid.Int64Range(0, pass).Draw(rt, "window")
			left := slices.DeleteFunc(slices.Clone(w.journal.events[partition]), func(e muster.Event) bool {
				covered := e.Offset <= base[storeKey(partition, e.AggregateID)].Offset && e.Offset < pass
				return e.Offset < window && covered && rapid.Bool().Draw(rt, "trimmed")
			})
			from := rapid.SampledFrom([]int64{0, window}).Draw(rt, "from")
			got := w.recoverFrom(rt, partition, base, left, from)
			for key, a := range want.answers { // those from before the window may be gone
				if _, kept := got.answers[key]; a.Offset < window && !kept {
					delete(want.answers, key)
				}
			}
			sameStores(rt, want, got, eventAnswers)
		}
	})
}

// recoverFrom folds what is left of a journal onto a base, in pieces, dying in between.
func (w *world) recoverFrom(rt *rapid.T, partition int32, base map[string]muster.StoredState, left []muster.Event, from int64) *store {
	s := newStore()
	s.states, s.next[partition] = maps.Clone(base), from
	for died := true; died; {
		died = false
		p := muster.NewProcessor(w.behaviour, muster.ProcessorConfig{Codec: muster.PlainCodec{}, States: s, Residents: rapid.IntRange(1, 3).Draw(rt, "residents")})
		at := s.end(partition)
		p.Take(partition, at)
		folding, err := p.Folding(partition)
		if err != nil {
			rt.Fatal(err)
		}
		folding.RememberAll()
		cut := func(next int64) {
			changes, err := folding.Cut(next)
			if err != nil {
				rt.Fatal(err)
			}
			if folding.Bytes() != 0 {
				rt.Fatalf("%d bytes after a cut", folding.Bytes())
			}
			if err := s.Store(w.t.Context(), []muster.Changes{changes}); err != nil {
				rt.Fatal(err)
			}
		}
		for i := range left {
			if left[i].Offset < at {
				continue
			}
			if err := folding.Add(slices.Clone(left[i : i+1])); err != nil {
				rt.Fatal(err)
			}
			switch rapid.IntRange(0, 6).Draw(rt, "then") {
			case 0, 1:
				cut(left[i].Offset + 1)
			case 2:
				died = true
			}
			if died {
				break
			}
		}
		if !died {
			cut(w.journal.end[partition])
		}
	}
	return s
}

// The estimate of what a folding holds follows what it is given.
func TestFoldingTellsWhatItHolds(t *testing.T) {
	w := written(t)
	w.store = newStore()
	w.restart()
	w.takeUnread(0)
	folding, err := w.p.Folding(0)
	if err != nil {
		t.Fatal(err)
	}
	before := folding.Bytes()
	for i := range w.journal.events[0] {
		if err := folding.Add(w.journal.events[0][i : i+1]); err != nil {
			t.Fatal(err)
		}
		if now := folding.Bytes(); now < before+int64(len(w.journal.events[0][i].Payload)) {
			t.Errorf("%d bytes after event %d, %d before", now, i, before)
		}
		before = folding.Bytes()
	}
	if _, err := w.p.Folding(3); err == nil {
		t.Error("a partition that was not taken can be folded")
	}
}

// latest is a contract whose events carry the whole state, but for one that by mistake carries a part.
func latest() *muster.Aggregate[account] {
	g := muster.NewGroup("accounts", muster.Partitions(4), muster.Journal(muster.KeepLatest))
	is := muster.NewEvent[account](g, "Is")
	a := muster.NewAggregate(g, func() account { return account{Notes: []string{"empty"}} })
	muster.Decide(a, muster.NewCommand[order, account](g, "deposit"), func(_ context.Context, r *muster.Root[account], in order) (account, error) {
		if in.Amount == 0 {
			return account{}, muster.Errorf(muster.InvalidArgument, "nothing")
		}
		for range in.Times + 1 {
			now := r.State()
			is.Emit(r, account{Balance: now.Balance + in.Amount, Entries: now.Entries + 1})
		}
		return r.State(), nil
	})
	muster.Evolve(a, is, func(s account, e account) account {
		s.Balance, s.Entries = e.Balance, e.Entries // the notes stay what an empty state has
		s.Notes = append(s.Notes, "is")
		return s
	})
	return a
}

// Compaction leaves the last event of each aggregate, and of the others any. What is recovered is what was live.
func TestKeepLatestAfterCompaction(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(drawn{t, rt}, latest().Behaviour())
		deposit := rapid.Custom(func(t *rapid.T) muster.Command {
			return command("deposit", rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "aggregate"), fmt.Sprint("id-", rapid.IntRange(0, 40).Draw(t, "id")),
				order{Amount: float64(rapid.IntRange(0, 3).Draw(t, "amount")), Times: rapid.IntRange(0, 2).Draw(t, "times")})
		})
		for range rapid.IntRange(1, 6).Draw(rt, "batches") {
			w.do(rapid.SliceOfN(deposit, 1, 6).Draw(rt, "commands")...)
			if rapid.Bool().Draw(rt, "restart") {
				w.restart()
			}
		}
		gapless(rt, w.journal)
		live := w.store
		last := map[string]int64{}
		for _, e := range w.journal.events[0] {
			last[e.AggregateID] = e.Offset
		}
		w.journal.events[0] = slices.DeleteFunc(w.journal.events[0], func(e muster.Event) bool {
			return e.Offset < last[e.AggregateID] && rapid.Bool().Draw(rt, "compacted")
		})
		kept := map[string]bool{}
		for _, e := range w.journal.events[0] {
			if e.Last() {
				kept[storeKey(0, e.CausationID)] = true
			}
		}
		maps.DeleteFunc(live.answers, func(key string, _ muster.Remembered) bool { return !kept[key] })
		w.rebuild(rapid.IntRange(1, 5).Draw(rt, "stretch"))
		sameStores(rt, live, w.store, eventAnswers)
	})
}

// The state that a handler sees after an event is the one that the event alone gives.
func TestKeepLatestFoldsFromNothing(t *testing.T) {
	w := newWorld(t, latest().Behaviour())
	w.do(command("deposit", "a", "c1", order{Amount: 1, Times: 2}))
	if s, revision := w.state("a"); revision != 3 || s.Balance != 3 || s.Entries != 3 || !slices.Equal(s.Notes, []string{"empty", "is"}) {
		t.Errorf("%+v at revision %d", s, revision)
	}
	events := slices.Clone(w.journal.events[0])
	events[2].Revision = 1 // what does not go up was not written by an owner
	w.store = newStore()
	w.restart()
	w.takeUnread(0)
	if _, err := w.p.Replay(0, events, 9); err == nil {
		t.Error("a revision that goes back was folded")
	}
}
