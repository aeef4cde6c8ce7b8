package sim_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed-3eec0498/muster/internal/sim"
)

var (
	seeds      = flag.Int("seeds", 4, "how many seeds to run, from 1 on")
	from       = flag.Uint64("from", 1, "the first of them")
	only       = flag.Uint64("seed", 0, "run this seed only, with the plan that it gives")
	numbers    = flag.String("faults", "", "with -seed: carry out these faults of the plan only, by their numbers, separated by commas; none for none")
	count      = flag.Int("plan", 7, "how many faults a plan has")
	operations = flag.Int("operations", 60, "how many operations each client does")
	beside     = flag.Int("beside", 8, "how many seeds run beside each other; they wait most of the time")
	reruns     = flag.Int("shrink", 16, "how many runs may be made to shorten the plan of a seed that fails; 0 for none")
	slow       = flag.Int("slow", 3, "how much slower than a twentieth of the default timeouts; 1 wants cores of its own")
	within     = flag.Duration("within", 90*time.Second, "in which everything has to end when the faults have")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// play runs one seed under some faults of its plan.
func play(ctx context.Context, t *testing.T, seed uint64, plan sim.Plan) (*sim.Outcome, error) {
	settings := sim.Settings{Seed: seed, Plan: plan, Operations: sim.NewWorkload(seed, *operations), Slow: *slow, Dir: t.TempDir(), Within: *within}
	if *only != 0 && testing.Verbose() {
		settings.Tell = func(text string) { fmt.Println(text) }
		settings.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return sim.Run(ctx, settings)
}

// The whole system keeps its promises under every plan of faults that is drawn from a seed. See the package for what a run is.
func TestSeeds(t *testing.T) {
	many := *seeds
	if testing.Short() {
		many = min(many, 2) // the race detector takes its time
	}
	list := make([]uint64, 0, many)
	for n := range uint64(many) {
		list = append(list, *from+n)
	}
	chosen := ""
	if *only != 0 {
		list, chosen = []uint64{*only}, *numbers
	}
	room := make(chan struct{}, *beside)
	var all sync.WaitGroup
	for _, seed := range list {
		room <- struct{}{}
		if t.Failed() {
			break // one is enough to look at
		}
		all.Go(func() {
			defer func() { <-room }()
			try(t, seed, chosen)
		})
	}
	all.Wait()
}

// try runs a seed, and tells what there is to tell.
func try(t *testing.T, seed uint64, chosen string) {
	plan := sim.NewPlan(seed, *count, sim.NewWorkload(seed, *operations).Len())
	faults := make([]int, len(plan))
	for n := range faults {
		faults[n] = n
	}
	if chosen != "" {
		var err error
		if faults, err = parse(chosen, len(plan)); err != nil {
			t.Error(err)
			return
		}
	}
	out, err := play(t.Context(), t, seed, plan.Only(faults))
	if err != nil {
		t.Errorf("seed %d cannot be run: %v\n%s", seed, err, plan)
		return
	}
	t.Logf("seed %d: %v", seed, out.Figures)
	want := []string{"I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I10"}
	if sim.Sealed(seed) {
		want = append(want, "I11", "I12")
	}
	if len(out.Invariants) != len(want) {
		t.Errorf("seed %d: %v were checked, want %v", seed, out.Invariants, want)
	}
	if out.Violations == nil {
		return
	}
	t.Errorf("seed %d FAILED. Its plan:\n%s\n%s", seed, plan, out.Report())
	fewest, runs := sim.Shrink(faults, *reruns, func(some []int) bool {
		again, err := play(t.Context(), t, seed, plan.Only(some))
		return err == nil && again.Violations != nil
	})
	short, left := "none", "no fault is needed: it fails without\n"
	if len(fewest) > 0 {
		left = "these faults are left:\n" + plan.Only(fewest).String()
		short = strings.ReplaceAll(strings.Trim(fmt.Sprint(fewest), "[]"), " ", ",")
	}
	t.Errorf("seed %d: after %d more runs %srun it again: go test ./internal/sim -run TestSeeds -count=1 -seed %d -faults %s -plan %d -operations %d -slow %d",
		seed, runs, left, seed, short, *count, *operations, *slow)
}

// parse reads a list of numbers of faults.
func parse(list string, most int) (faults []int, err error) {
	if list == "none" {
		return nil, nil
	}
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < 0 || n >= most {
			return nil, fmt.Errorf("-faults: %q is no number of a fault; the plan has 0 to %d", text, most-1)
		}
		faults = append(faults, n)
	}
	slices.Sort(faults)
	return slices.Compact(faults), nil
}
