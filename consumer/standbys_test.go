package consumer_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/seed-3eec0498/muster/consumer"
)

// heldBy shares partitions among instances, one after another.
func heldBy(partitions int32, instances ...string) map[int32]string {
	held := map[int32]string{}
	for p := range partitions {
		held[p] = instances[int(p)%len(instances)]
	}
	return held
}

// A copy is never where the original is; there are as many as are wanted, or as there are other instances; and the copies of what one instance
// holds are spread over the others, so that its death leaves them in balance.
func TestCopiesArePlacedApartAndEvenly(t *testing.T) {
	names := func(n int) (all []string) {
		for i := range n {
			all = append(all, fmt.Sprintf("bank-%d", i))
		}
		return all
	}
	for _, instances := range []int{1, 2, 3, 7} {
		for _, n := range []int{1, 2, 9} {
			held := heldBy(42, names(instances)...)
			placed := consumer.PlaceStandbys(held, names(instances), n)
			share := map[string]map[string]int{} // copies by holder and by where they are
			for p, holder := range held {
				if want := min(n, instances-1); len(placed[p]) != want {
					t.Errorf("%d instances, %d copies wanted: partition %d has %v", instances, n, p, placed[p])
				}
				if slices.Contains(placed[p], holder) || len(slices.Compact(slices.Sorted(slices.Values(placed[p])))) != len(placed[p]) {
					t.Errorf("partition %d of %s has copies at %v", p, holder, placed[p])
				}
				if share[holder] == nil {
					share[holder] = map[string]int{}
				}
				for _, at := range placed[p] {
					share[holder][at]++
				}
			}
			for holder, at := range share {
				counts := slices.Sorted(maps.Values(at))
				if len(counts) > 0 && counts[len(counts)-1]-counts[0] > 1+len(at)/2 {
					t.Errorf("%d instances, %d copies: those of %s are spread as %v", instances, n, holder, at)
				}
			}
		}
	}
	if placed := consumer.PlaceStandbys(heldBy(4, "old", "new"), []string{"new"}, 1); len(placed[0]) != 1 || len(placed[1]) != 0 {
		t.Errorf("where only one instance keeps copies: %v", placed)
	}
}

// The instance that dies leaves what it had to those with copies of it, each as much as balance gives it: nobody begins from nothing.
func TestWhoHasACopyGetsThePartition(t *testing.T) {
	names := []string{"a", "b", "c", "d"}
	held := heldBy(24, names...)
	placed := consumer.PlaceStandbys(held, names, 1)
	copies := map[string]map[int32]int64{"b": {}, "c": {}, "d": {}}
	free := map[string][]int32{}
	i := 0
	for p := range int32(24) {
		if held[p] != "a" {
			continue
		}
		copies[placed[p][0]][p] = 100
		to := names[1+i%3] // as a balancer that knows nothing of copies deals them out
		free[to] = append(free[to], p)
		i++
	}
	dealt := consumer.PreferWarm(free, copies)
	for member, all := range dealt {
		if len(all) != 2 {
			t.Errorf("%s gets %v", member, all)
		}
		for _, p := range all {
			if copies[member][p] == 0 {
				t.Errorf("%s gets %d, of which %v has the copy", member, p, placed[p])
			}
		}
	}
	dealt = consumer.PreferWarm(map[string][]int32{"b": {1}, "c": {2}}, map[string]map[int32]int64{"b": {2: 9}, "c": {2: 10, 1: 1}})
	if !slices.Equal(dealt["b"], []int32{2}) || !slices.Equal(dealt["c"], []int32{1}) {
		t.Errorf("as many as can be go to a copy: %v", dealt)
	}
	dealt = consumer.PreferWarm(map[string][]int32{"b": {1}, "c": {2}}, map[string]map[int32]int64{"b": {1: 9}, "c": {1: 10}})
	if !slices.Equal(dealt["c"], []int32{1}) || !slices.Equal(dealt["b"], []int32{2}) {
		t.Errorf("the farthest copy counts: %v", dealt)
	}
}

// Whatever the copies are, each member gets as many as it would have, and every partition goes to one member.
func TestDealingKeepsTheBalance(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 10))
	for range 300 {
		free, copies := map[string][]int32{}, map[string]map[int32]int64{}
		var all []int32
		for p := range int32(rng.IntN(20)) {
			m := fmt.Sprint(rng.IntN(4))
			free[m], all = append(free[m], p), append(all, p)
			for range rng.IntN(3) {
				at := fmt.Sprint(rng.IntN(5))
				if copies[at] == nil {
					copies[at] = map[int32]int64{}
				}
				copies[at][p] = rng.Int64N(100)
			}
		}
		var dealt []int32
		for m, got := range consumer.PreferWarm(free, copies) {
			if len(got) != len(free[m]) {
				t.Fatalf("%s gets %d instead of %d", m, len(got), len(free[m]))
			}
			dealt = append(dealt, got...)
		}
		if slices.Sort(dealt); !slices.Equal(dealt, all) {
			t.Fatalf("dealt %v of %v", dealt, all)
		}
	}
}

// warmed notes the copies of each member, and says that they are there.
type warmed struct {
	mu     sync.Mutex // guards copies
	copies map[string][]int32
}

func (w *warmed) of(instance string) []int32 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.copies[instance]
}

func (w *warmed) watch(t *testing.T, m *sharing, instance string) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.Standbys(ctx, func(_ context.Context, partitions []int32) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.copies[instance] = partitions
		})
	}()
	t.Cleanup(func() { stop(); <-done })
}

// Members of one group agree on who keeps which copies; when one goes, those that have copies of its partitions get them.
func TestMembersKeepCopiesForEachOther(t *testing.T) {
	const partitions = 12
	c := start(t, partitions)
	s, w := &shares{t: t, holder: map[int32]string{}}, &warmed{copies: map[string][]int32{}}
	members := map[string]*sharing{}
	for _, name := range []string{"a", "b", "c"} {
		config := c.sharing(name)
		config.Standbys = 1
		config.Copies = func() map[int32]int64 {
			all := map[int32]int64{}
			for _, p := range w.of(name) {
				all[p] = 1
			}
			return all
		}
		members[name] = s.share(config, 0)
		w.watch(t, members[name], name)
	}
	until(t, "each has a third, and copies of another third", func() bool {
		for name := range members {
			if s.count(name) != partitions/3 || len(w.of(name)) != partitions/3 {
				return false
			}
		}
		return true
	})
	s.mu.Lock()
	copied := map[int32]string{}
	for name := range members {
		for _, p := range w.of(name) {
			if s.holder[p] == name || copied[p] != "" {
				t.Errorf("%s keeps a copy of %d, which %s holds and %q has a copy of", name, p, s.holder[p], copied[p])
			}
			copied[p] = name
		}
	}
	var left []int32
	for p, h := range s.holder {
		if h == "a" {
			left = append(left, p)
		}
	}
	s.mu.Unlock()
	if _, err := members["b"].Holders(within(t)); err != nil {
		t.Error(err)
	}
	for p, at := range members["b"].Copies() {
		if len(at) != 1 || at[0].Instance != copied[p] || at[0].Address != "http://"+copied[p] {
			t.Errorf("the copy of %d is at %s, and seen at %+v", p, copied[p], at)
		}
	}
	if err := members["a"].ended(); err != nil {
		t.Error(err)
	}
	if err := members["a"].Leave(within(t)); err != nil {
		t.Error(err)
	}
	until(t, "the two have a half each", func() bool { return s.count("b") == partitions/2 && s.count("c") == partitions/2 })
	s.mu.Lock()
	for _, p := range left {
		if s.holder[p] != copied[p] {
			t.Errorf("%d went to %s, and the copy is at %s", p, s.holder[p], copied[p])
		}
	}
	s.mu.Unlock()
	for _, name := range []string{"b", "c"} {
		if err := members[name].ended(); err != nil {
			t.Error(err)
		}
	}
}
