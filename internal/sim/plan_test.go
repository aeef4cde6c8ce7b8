package sim_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed-3eec0498/muster/internal/sim"
)

// A seed gives the same plan and the same workload each time, byte for byte; another seed gives others.
func TestSeedGivesPlanAndWorkload(t *testing.T) {
	shown := map[string]uint64{}
	for seed := range uint64(50) {
		text := func() string {
			return fmt.Sprintf("%s\n%+v", sim.NewPlan(seed, 12, 400), sim.NewWorkload(seed, 100))
		}
		first := text()
		if again := text(); again != first {
			t.Fatalf("seed %d gives another plan or workload the second time", seed)
		}
		if other, known := shown[first]; known {
			t.Errorf("seeds %d and %d give the same", seed, other)
		}
		shown[first] = seed
	}
}

// The first seed gives this plan on every machine and with every build: a seed that somebody noted stays worth something. Whoever changes how
// plans are drawn changes this text, and knows that noted seeds mean other plans now.
func TestPlanOfTheFirstSeed(t *testing.T) {
	const want = `  0  at 34: delay owner-0 3 of SyncGroup by 457ms
  1  at 106: crash owner-0, 100 % of what was not synced stays, back after 803ms
  2  at 111: crash owner-1, 100 % of what was not synced stays, back after 813ms
  3  at 137: crash owner-1, 50 % of what was not synced stays, back after 913ms
  4  at 140: lose owner-0 3 answers to Produce, not carried out
  5  at 147: freeze owner-0 for 87ms
  6  at 201: mute owner-0 answers to EndTxn for 1.252s, not carried out
`
	if got := sim.NewPlan(1, 7, 240).String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// All kinds of faults are drawn, in order, within the operations, each with what it needs.
func TestPlansHaveEverything(t *testing.T) {
	drawn := map[sim.Kind]int{}
	for seed := range uint64(200) {
		before, crashes := 0, 0
		for _, f := range sim.NewPlan(seed, 10, 300) {
			drawn[f.Kind]++
			if f.At < before || f.At >= 300 {
				t.Errorf("seed %d: %v comes after operation %d, of 300", seed, f, before)
			}
			before = f.At
			if f.Kind == sim.Crash && strings.HasPrefix(f.Target, "owner-") {
				crashes++
			}
			brokers := f.Kind == sim.Code || f.Kind == sim.Leaders || f.Kind == sim.Coordinators
			if brokers != (f.Target == "") || f.Kind == sim.Code && f.Err == nil {
				t.Errorf("seed %d: %+v", seed, f)
			}
		}
		if crashes == 0 {
			t.Errorf("seed %d: no owner crashes", seed)
		}
	}
	for _, kind := range []sim.Kind{
		sim.Cut, sim.Sever, sim.Freeze, sim.Lose, sim.Mute, sim.Delay, sim.Code, sim.Leaders, sim.Coordinators, sim.Crash, sim.Stop, sim.Storm, sim.Disk, sim.Clock,
	} {
		if drawn[kind] == 0 {
			t.Errorf("no plan of 200 has a fault of kind %s", kind)
		}
	}
}

// A workload has all that clients may do, and what is sent twice is the same both times.
func TestWorkloadsHaveEverything(t *testing.T) {
	queries, refused, panics, silent, repeated, hot, all := 0, 0, 0, 0, 0, 0, 0
	for seed := range uint64(20) {
		first := map[string]sim.Operation{}
		for _, of := range sim.NewWorkload(seed, 100) {
			for _, o := range of {
				all++
				if before, known := first[o.ID]; known {
					repeated++
					if o.Events == 0 {
						t.Errorf("seed %d: %+v is repeated; no answer of such a one outlives a store", seed, o)
					}
					if before != o {
						t.Errorf("seed %d: %+v was %+v before", seed, o, before)
					}
				}
				first[o.ID] = o
				switch {
				case o.Query:
					queries++
				case o.Refuse:
					refused++
				case o.Panic:
					panics++
				case o.Events == 0:
					silent++
				}
				if o.Aggregate == "agg-0" {
					hot++
				}
			}
		}
	}
	if queries == 0 || refused == 0 || panics == 0 || silent == 0 || repeated == 0 {
		t.Errorf("of %d operations %d are queries, %d refused, %d panic, %d are silent, %d repeated", all, queries, refused, panics, silent, repeated)
	}
	if hot < all/5 {
		t.Errorf("%d of %d operations are on the hot aggregate", hot, all)
	}
}

// Every other workload erases about one subject in a hundred operations, has data of several subjects in one command, and is else what it was.
func TestSealedWorkloads(t *testing.T) {
	for seed := range uint64(20) {
		erasures, heard, all := 0, 0, 0
		for _, of := range sim.NewWorkload(seed, 100) {
			for _, o := range of {
				all++
				if o.Witness != "" {
					heard++
				}
				if o.Erase != "" {
					erasures++
				}
			}
		}
		want := 0
		if sim.Sealed(seed) {
			want = all / 100
		}
		if low := min(want, 2); erasures > want || erasures < low { // two may fall on one operation
			t.Errorf("seed %d: %d erasures among %d operations, want %d", seed, erasures, all, want)
		}
		if (heard > 0) != sim.Sealed(seed) {
			t.Errorf("seed %d: sealed %t, and %d commands have data of somebody else", seed, sim.Sealed(seed), heard)
		}
	}
}
