package sim_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed-3eec0498/muster/internal/sim"
)

func TestShrink(t *testing.T) {
	all := []int{0, 1, 2, 3, 4, 5, 6, 7}
	needs := func(some ...int) func([]int) bool {
		return func(list []int) bool {
			for _, n := range some {
				if !slices.Contains(list, n) {
					return false
				}
			}
			return true
		}
	}
	for name, c := range map[string]struct {
		fails func([]int) bool
		want  []int
	}{
		"none is needed":    {needs(), nil},
		"one":               {needs(5), []int{5}},
		"the first":         {needs(0), []int{0}},
		"two far apart":     {needs(1, 6), []int{1, 6}},
		"all":               {needs(all...), all},
		"either of two":     {func(list []int) bool { return needs(2)(list) || needs(3)(list) }, []int{3}},
		"any three of them": {func(list []int) bool { return len(list) >= 3 }, []int{5, 6, 7}},
	} {
		t.Run(name, func(t *testing.T) {
			got, runs := sim.Shrink(all, 1000, c.fails)
			if !slices.Equal(got, c.want) {
				t.Errorf("%v after %d runs, want %v", got, runs, c.want)
			}
		})
	}
}

// Whatever the faults it takes: what is left fails, no fault of it can be left out, the order is kept, and the bound as well.
func TestShrinkAnything(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(0, 20).Draw(rt, "faults")
		all := make([]int, n)
		for i := range all {
			all[i] = i
		}
		var culprits []int
		if n > 0 {
			culprits = rapid.SliceOfNDistinct(rapid.IntRange(0, n-1), 0, min(n, 4), rapid.ID[int]).Draw(rt, "culprits")
		}
		slices.Sort(culprits)
		limit := rapid.IntRange(0, 300).Draw(rt, "limit")
		tried := 0
		got, runs := sim.Shrink(all, limit, func(list []int) bool {
			tried++
			if !slices.IsSorted(list) {
				rt.Fatalf("tried %v", list)
			}
			for _, c := range culprits {
				if !slices.Contains(list, c) {
					return false
				}
			}
			return true
		})
		if runs != tried || runs > limit {
			rt.Fatalf("%d runs of at most %d, said %d", tried, limit, runs)
		}
		for _, c := range culprits {
			if !slices.Contains(got, c) {
				rt.Fatalf("%v does not fail: %v do", got, culprits)
			}
		}
		if limit == 300 && !slices.Equal(got, culprits) {
			rt.Fatalf("%v after %d runs, want %v", got, runs, culprits)
		}
	})
}

// What fails by chance is not taken for innocent more often than the bound allows, and the list given is one that did fail.
func TestShrinkOfWhatFailsByChance(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		all := []int{0, 1, 2, 3, 4, 5}
		failed := [][]int{all}
		got, _ := sim.Shrink(all, 40, func(list []int) bool {
			fails := rapid.Bool().Draw(rt, "fails")
			if fails {
				failed = append(failed, slices.Clone(list))
			}
			return fails
		})
		if !slices.Equal(got, failed[len(failed)-1]) {
			rt.Fatalf("gave %v, the last that failed was %v", got, failed[len(failed)-1])
		}
	})
}
