package muster_test

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed-3eec0498/muster"
)

// Where the oldest events of aggregates were removed, never the last one, no fold from nothing passes unnoticed: it meets a gap that begins before
// what was removed, or nothing is missing.
func TestTrimmedWithoutBaseIsSeen(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(drawn{t, rt}, newBank().Account.Behaviour())
		for range rapid.IntRange(1, 8).Draw(rt, "batches") {
			w.do(rapid.SliceOfN(rapid.Custom(anyCommand), 1, 8).Draw(rt, "commands")...)
		}
		for _, partition := range slices.Sorted(maps.Keys(w.journal.events)) {
			all := w.journal.events[partition]
			last := map[string]uint64{}
			for i := range all {
				last[all[i].AggregateID] = all[i].Revision
			}
			removed := map[string]uint64{} // how many of each aggregate's
			for _, id := range slices.Sorted(maps.Keys(last)) {
				removed[id] = rapid.Uint64Range(0, last[id]-1).Draw(rt, "removed")
			}
			before, missing := int64(0), false
			left := slices.DeleteFunc(slices.Clone(all), func(e muster.Event) bool {
				if e.Revision > removed[e.AggregateID] {
					return false
				}
				before, missing = max(before, e.Offset+1), true
				return true
			})
			p := muster.NewProcessor(w.behaviour, muster.ProcessorConfig{Codec: muster.PlainCodec{}, States: newStore()})
			p.Take(partition, 0)
			_, err := p.Replay(partition, left, w.journal.end[partition])
			gap, is := errors.AsType[*muster.RevisionGap](err)
			switch {
			case !missing && err != nil:
				rt.Fatalf("nothing is missing: %v", err)
			case missing && (!is || gap.Revision <= gap.After+1 || gap.Behind >= before):
				rt.Fatalf("events before %d are missing: %v, %+v", before, err, gap)
			}
		}
	})
}
