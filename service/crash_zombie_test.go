//go:build unix

package service_test

import (
	"context"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster/producer"
)

// An owner is frozen in the middle of a commit until its session is over and another has its partitions; then it goes on where it was. The
// broker fences it, or what it had committed counts; either way nothing is doubled and no answer is false.
func TestZombie(t *testing.T) {
	brokers := realBrokers(t)
	for _, point := range points() {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			r := newRun(t, brokers, 3, 2)
			cfg := childConfig{
				Group: r.group.Name(), Partitions: 3, Brokers: brokers, Dir: t.TempDir(), Instance: "one", Point: point, Hit: 4,
				TransactionTimeout: 20 * time.Second,
			}
			zombie := launch(t, cfg)
			zombie.await("ready")

			var load sync.WaitGroup
			orders := r.orders(60, 5)
			load.Go(func() { r.give(orders, 6) })
			zombie.await("at " + point)
			zombie.signal(syscall.SIGSTOP)

			other := cfg
			other.Point, other.Instance, other.Dir = "", "two", t.TempDir()
			heir := launch(t, other)
			if point == producer.PointAfterOffsets {
				// The transaction may still be committed, so the heir waits for it. When the session is over, that is all it waits for.
				r.awaitMembers("two")
			} else {
				heir.await("ready")
				load.Wait()
			}

			again := r.orders(60, 5)
			load.Go(func() { r.give(again, 6) })
			zombie.proceed()
			zombie.signal(syscall.SIGCONT)
			load.Wait()
			if point == producer.PointAfterOffsets {
				heir.await("ready")
			}
			r.awaitMembers("one", "two") // it takes up its membership again
			r.give(append(orders, again...), 6)
			j := r.verify()
			heir.end()
			zombie.end()
			r.wantStore(cfg.Dir, j)
			r.wantStore(other.Dir, j)
		})
	}
}

// dismiss ends the membership of an instance that is dead, and whose session goes on.
func (r *run) dismiss(instance string) {
	r.t.Helper()
	ctx, cancel := contextFor(r.t)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(r.brokers...))
	if err != nil {
		r.t.Fatal(err)
	}
	defer client.Close()
	left, err := kadm.NewClient(client).LeaveGroup(ctx, kadm.LeaveGroup(r.group.Name()).InstanceIDs(instance))
	if err == nil {
		err = left.Error()
	}
	if err != nil {
		r.t.Fatalf("dismiss %s: %v", instance, err)
	}
}

// awaitMembers returns when exactly these instances are in the consumer group and nobody is rebalancing.
func (r *run) awaitMembers(want ...string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(r.brokers...))
	if err != nil {
		r.t.Fatal(err)
	}
	defer client.Close()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		groups, err := kadm.NewClient(client).DescribeGroups(ctx, r.group.Name())
		var have []string
		group := groups[r.group.Name()]
		for i := range group.Members {
			if name := group.Members[i].InstanceID; name != nil {
				have = append(have, *name)
			}
		}
		slices.Sort(have)
		if slices.Equal(have, want) && (group.State == "Stable" || group.State == "Empty") {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			r.t.Fatalf("group %s is %s with members %v, %v; want %v", r.group.Name(), group.State, have, err, want)
		}
	}
}
