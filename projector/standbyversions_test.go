package projector_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-3eec0498/muster/projector"
)

// shardsOf gives the numbers of the shards that something is stored of.
func shardsOf(in *instance) (n int) { return len(in.store.Kept("tallies")) }

// Rows of a shard that has gone to another instance, and those of a copy that is kept elsewhere, stay for WarmTime and go then; what is held, and
// copies that are kept, stay. A copy does not keep a new version from taking over, and follows it.
func TestRowsOfFormerCopiesExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		v := w.tallies(1, projector.Standbys(1))
		one := w.start("one", nil, v)
		w.note(3)
		members := w.members["tallies@1"]
		members.Move(0, "one")
		members.Move(1, "one")
		two := w.start("two", nil, v)
		members.Stand("two", 0, 1)
		synctest.Wait()
		if n := shardsOf(two); n != 2 {
			t.Fatalf("%d copies", n)
		}
		pass(2 * time.Hour)
		if n := shardsOf(two); n != 2 {
			t.Fatalf("after two hours %d of the copies that are kept are there", n)
		}
		members.Stand("two", 1)
		pass(30 * time.Minute)
		if n := shardsOf(two); n != 2 {
			t.Fatalf("before the time was over rows went: %d shards are left", n)
		}
		members.Stand("two", 0, 1) // it is kept again, and the time begins anew
		synctest.Wait()
		members.Stand("two", 1)
		pass(45 * time.Minute)
		if n := shardsOf(two); n != 2 {
			t.Fatalf("of a copy that came back the time did not begin anew: %d shards are left", n)
		}
		pass(20 * time.Minute)
		if kept := two.store.Kept("tallies"); len(kept) != 1 || kept[0].Number != 1 {
			t.Fatalf("when the time was over: %+v", kept)
		}
		one.want(1, 3)
		if n := shardsOf(one); n != 2 {
			t.Errorf("of what is held %d shards are left", n)
		}
		two.stop()
		one.stop()
	})
}

// Instances that keep copies alone do not keep a rebuild from taking over.
func TestARebuildBesideCopies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		v := w.tallies(1, projector.Standbys(1))
		one := w.start("one", nil, v)
		w.note(3)
		members := w.members["tallies@1"]
		members.Move(0, "one")
		members.Move(1, "one")
		two := w.start("two", nil, v)
		members.Stand("two", 0, 1)
		synctest.Wait()
		if _, err := one.operator.Rebuild(t.Context(), "tallies"); err != nil {
			t.Fatal(err)
		}
		pass(30 * time.Second)
		for _, in := range []*instance{one, two} {
			if version, generation := in.versions.Serving(); version != 1 || generation != 1 {
				t.Errorf("%s serves version %d, generation %d", in.name, version, generation)
			}
			if all := in.store.Kept("tallies"); len(all) != 2 || all[0].Generation != 1 {
				t.Errorf("%s has %+v", in.name, all)
			}
		}
		one.want(1, 3)
		reach, err := two.store.Reach(v.Definition())
		if err != nil || reach[0] != 6 || reach[1] != 6 {
			t.Errorf("the copies reach %v, %v", reach, err)
		}
	})
}
