//go:build unix

package service_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
)

// An owner dies by kill -9 at each point while commands wait for another try, and others that leave no trace in the journal pass them. The next
// one, on the same directory or an empty one, takes up what waits: each command has one effect, in the order of its aggregate, and nobody's
// dead letter is written twice.
func TestKillWhileCommandsWait(t *testing.T) {
	brokers := anyBrokers(t)
	for n, point := range points() {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			killedWaiting(t, brokers, point, n%2 == 0)
		})
	}
}

func killedWaiting(t *testing.T, brokers []string, point string, elsewhere bool) {
	r := newRun(t, brokers, 1, 1)
	cfg := childConfig{
		Group: r.group.Name(), Partitions: 1, Brokers: brokers, Dir: t.TempDir(), Instance: "one", TransactionTimeout: time.Minute,
		Closed: true, Point: point, Hit: 12,
	}
	owner := launch(t, cfg)
	owner.await("ready")

	const rounds = 24
	want, dropped := map[string][]string{}, []string{}
	var orders []order
	for n := range rounds {
		aggregate := fmt.Sprint("slow-", n%4)
		want[aggregate] = append(want[aggregate], fmt.Sprint("later-", n))
		dropped = append(dropped, fmt.Sprint("drop-", n))
		orders = append(orders, r.orders(2, 3)...)
	}
	var load sync.WaitGroup
	load.Go(func() {
		for n := range rounds {
			aggregate := fmt.Sprint("slow-", n%4)
			r.send(aggregate, fmt.Sprint("later-", n), later)
			r.send(fmt.Sprint("acc-", n%3), dropped[n], drop)
			r.give(orders[2*n:2*n+2], 2)
		}
	})
	owner.await("at " + point)
	owner.kill()
	cfg.Point, cfg.Closed = "", false
	if elsewhere {
		cfg.Instance, cfg.Dir = "two", t.TempDir()
	}
	owner = launch(t, cfg)
	owner.await("ready")
	load.Wait()
	last := order{id: "last", aggregate: "slow-0", events: 1}
	r.give([]order{last}, 1)
	want["slow-0"] = append(want["slow-0"], last.id)
	eventually(t, "nothing waits", func() bool {
		j := r.dump(t, brokers)
		n := 0
		for _, e := range j.Events[0] {
			if want[e.AggregateID] != nil {
				n++
			}
		}
		return n == rounds+1
	})
	got := map[string][]string{}
	for _, e := range r.verify().Events[0] {
		if want[e.AggregateID] != nil {
			got[e.AggregateID] = append(got[e.AggregateID], e.CausationID)
		}
	}
	for aggregate := range want {
		if !slices.Equal(got[aggregate], want[aggregate]) {
			t.Errorf("events of %s are those of %v, want %v", aggregate, got[aggregate], want[aggregate])
		}
	}
	slices.Sort(dropped)
	if dead := deadLetters(t, brokers, r.group); !slices.Equal(dead, dropped) {
		t.Errorf("dead letters of %v, want one of each of %v", dead, dropped)
	}
	owner.end()
}

// send writes a command whose answer nobody waits for.
func (r *run) send(aggregate, id string, events int) {
	r.t.Helper()
	ctx, cancel := contextFor(r.t)
	defer cancel()
	if _, err := r.add.Send(ctx, r.callers[0].Client(), aggregate, appendix{Command: id, Events: events}, muster.CommandID(id)); err != nil {
		r.t.Errorf("send %s: %v", id, err)
	}
}
