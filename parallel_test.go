package muster_test

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/seed-3eec0498/muster"
)

// Different aggregates run side by side, also inside one partition, and end as they do one after another (G3). Under -race this is the
// proof that units share nothing.
func TestUnitsRunSideBySide(t *testing.T) {
	batches := func(w *world) (all []*effects) {
		for n := range 6 {
			var commands []muster.Command
			for k := range 200 {
				id, verb := fmt.Sprint("acc-", k%37), []string{"open", "deposit", "withdraw", "split", "balance", "spoil", "explode", "nosuch"}[(k+n)%8]
				cmd := command(verb, id, fmt.Sprint("c-", (k*7+n*31)%500, "-", verb, id), order{Amount: float64(k % 5), Times: k % 3})
				cmd.Partition = int32(k % 37 % 4)
				commands = append(commands, cmd)
			}
			round, decision := w.decide(w.batch(commands...), nil)
			if n == 3 { // an aborted attempt in between
				w.journal.aborted(decision.Events)
				round.Abort()
				continue
			}
			all = append(all, w.commit(round, decision))
		}
		return all
	}
	one, many := newWorld(t, newBank().Account.Behaviour()), newWorld(t, newBank().Account.Behaviour())
	many.parallel, many.slice, many.config.Residents = true, 64, 5
	many.restart()
	want, got := batches(one), batches(many)
	for n := range want {
		if !sameEvents(want[n].decision.Events, got[n].decision.Events) || len(want[n].decision.Events) == 0 {
			t.Fatalf("batch %d differs:\n%s\n%s", n, describeDecision(want[n].decision), describeDecision(got[n].decision))
		}
	}
	sameStores(t, one.store, many.store, allAnswers)
}

// Lanes work on partitions of their own at the same time, over one processor and one store.
func TestLanesRunSideBySide(t *testing.T) {
	shared := newWorld(t, newBank().Account.Behaviour())
	var lanes sync.WaitGroup
	for partition := range int32(4) {
		lanes.Go(func() {
			w := *shared // a lane's own journal and offsets, the same processor and store
			w.journal, w.offsets, w.taken = newJournal(), map[int32]int64{}, map[int32]bool{}
			for n := range 50 {
				cmd := command([]string{"open", "deposit", "withdraw"}[n%3], "acc-1", strconv.Itoa(n), order{Amount: 1})
				cmd.Partition = partition
				w.do(cmd)
			}
		})
	}
	lanes.Wait()
	for partition := range int32(4) {
		stored, err := shared.store.Load(partition, "acc-1")
		if err != nil || stored.Revision != 1+17+16 { // the last withdrawals meet an empty account or not, as for every lane
			t.Errorf("partition %d: revision %d, %v", partition, stored.Revision, err)
		}
	}
}

// Aggregates that are used again stay decoded: the store is asked once, until more come than the bound allows.
func TestResidentsAreBounded(t *testing.T) {
	w := newWorld(t, newBank().Account.Behaviour())
	w.config.Residents = 10
	w.restart()
	opened(w, "hot")
	for n := range 5 {
		w.do(command("deposit", "hot", fmt.Sprint("h", n), order{Amount: 1}))
	}
	if w.store.loads != 1 {
		t.Errorf("the store was asked %d times for an aggregate in use", w.store.loads)
	}
	var ids []string
	for n := range 100 {
		ids = append(ids, fmt.Sprint("cold-", n))
	}
	opened(w, ids...)
	before := w.store.loads
	for _, id := range ids {
		w.do(command("balance", id, "q", order{}))
	}
	if loads := w.store.loads - before; loads < 60 {
		t.Errorf("of 100 aggregates %d are still in memory, with a bound of 10", 100-loads)
	}
	if got := decoded(t, w.do(command("balance", "hot", "q", order{})).outcome(t, "q", 0)); got.Balance != 5 {
		t.Errorf("read back: %+v", got)
	}
}

func TestDecisionHoldsItsOrder(t *testing.T) {
	w := newWorld(t, newBank().Account.Behaviour())
	var commands []muster.Command
	for n := range 40 {
		cmd := command("open", fmt.Sprint("acc-", n), fmt.Sprint("c", n), order{})
		cmd.Partition = int32(3 - n%4)
		commands = append(commands, cmd)
	}
	w.parallel, w.slice = true, 7
	d := w.do(commands...).decision
	for n := range d.Events {
		if want := fmt.Sprint("c", n, "/0"); d.Events[n].ID != want {
			t.Fatalf("event %d is %s, want %s: events stand in log order", n, d.Events[n].ID, want)
		}
	}
	if !slices.IsSortedFunc(d.Offsets, func(a, b muster.Progress) int { return int(a.Partition - b.Partition) }) || len(d.Offsets) != 4 {
		t.Errorf("offsets %v", d.Offsets)
	}
	if slices.ContainsFunc(d.Offsets, func(p muster.Progress) bool { return p.Next != 10 || len(p.Waiting) > 0 }) {
		t.Errorf("offsets %v, want 10 in each partition and nothing waiting", d.Offsets)
	}
}
