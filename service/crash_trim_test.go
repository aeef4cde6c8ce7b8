//go:build unix

package service_test

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/producer"
	"github.com/seed-3eec0498/muster/service"
)

// trimPieces is how many events the processes of these tests remove at a time.
const trimPieces = 10

// trimAll trims until all of it is done, and says so.
func trimAll(ctx context.Context, s *service.Service, g *muster.Group) {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for ctx.Err() == nil {
		if _, err := s.Trim(ctx, g, service.TrimOptions{Keep: 1}); err == nil {
			fmt.Println("trimmed")
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
		}
	}
}

// trimPoints are the places at which an owner that trims can be stopped, in their order, and at which time they are passed. The pass is the first
// transaction of the keeper.
func trimPoints() map[string]int64 {
	return map[string]int64{
		"snapshotted": 1, "trim-pass": 1, "trim-base": 1,
		producer.PointKeptProduced: 3, producer.PointKeptOffsets: 3, producer.PointKeptEnd: 3, "trimmed": 2,
	}
}

// An owner dies by kill -9 at each step of a trimming, under load, and another goes on, on the same directory or an empty one: no tombstone is there
// without its base, all that may go is gone in the end, and every command has its one effect.
func TestKillWhileTrimming(t *testing.T) {
	brokers := anyBrokers(t)
	n := 0
	for point, hit := range trimPoints() {
		n++
		elsewhere := n%2 == 0
		t.Run(fmt.Sprintf("%s elsewhere %v", point, elsewhere), func(t *testing.T) {
			t.Parallel()
			r, cfg, wanted := trimmingRun(t, brokers)
			cfg.Point, cfg.Hit = point, hit
			owner := launch(t, cfg)
			owner.await("ready")
			var load sync.WaitGroup
			orders := r.orders(60, 5)
			load.Go(func() { r.give(orders, 6) })
			owner.await("at " + point)
			owner.kill()
			r.based()

			cfg.Point = ""
			if elsewhere {
				cfg.Instance, cfg.Dir = "two", t.TempDir()
			}
			owner = launch(t, cfg)
			owner.await("trimmed")
			load.Wait()
			r.give(orders, 6) // the original answers
			r.trimmed(wanted)
			j := r.verify()
			owner.end()
			r.wantStore(cfg.Dir, j)
		})
	}
}

// An owner that trims is frozen until another has its partition and has trimmed it; then it goes on where it was.
func TestZombieTrims(t *testing.T) {
	brokers := realBrokers(t)
	for point, hit := range trimPoints() {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			r, cfg, wanted := trimmingRun(t, brokers)
			cfg.Point, cfg.Hit = point, hit
			zombie := launch(t, cfg)
			zombie.await("at " + point)
			zombie.signal(syscall.SIGSTOP)
			r.based()

			other := cfg
			other.Point, other.Instance, other.Dir = "", "two", t.TempDir()
			heir := launch(t, other)
			heir.await("trimmed")
			orders := r.orders(60, 5)
			r.give(orders[:30], 6)
			r.trimmed(wanted)

			var load sync.WaitGroup
			load.Go(func() { r.give(orders[30:], 6) })
			zombie.proceed()
			zombie.signal(syscall.SIGCONT)
			load.Wait()
			r.awaitMembers("one", "two")
			r.give(orders, 6)
			r.trimmed(wanted)
			j := r.verify()
			heir.end()
			zombie.end()
			r.wantStore(other.Dir, j)
		})
	}
}

// trimmingRun gives a run of one partition with a past behind the dedup window, what may be removed of it, and the configuration of who does.
func trimmingRun(t *testing.T, brokers []string) (*run, childConfig, map[muster.EventKey]bool) {
	t.Helper()
	r := newRun(t, brokers, 1, 1)
	cfg := childConfig{
		Group: r.group.Name(), Partitions: 1, Brokers: brokers, Dir: t.TempDir(), Instance: "one", TransactionTimeout: time.Minute, Trim: true,
	}
	own := r.ownerConfig(cfg.Instance, cfg.Dir)
	s := start(t, own, r.owner())
	r.give(r.orders(80, 5), 6)
	s.end()
	wanted := map[muster.EventKey]bool{}
	last := map[string]int{} // of the events, by aggregate
	all := r.dump(t, brokers).Events[0]
	for i := range all {
		last[all[i].AggregateID] = i
		wanted[muster.EventKey{AggregateID: all[i].AggregateID, Revision: all[i].Revision}] = true
	}
	for id, i := range last { // its command stays, unless there are later ones
		for n := range all[i].Count {
			delete(wanted, muster.EventKey{AggregateID: id, Revision: all[i].Revision - uint64(n)})
		}
	}
	ahead := service.Config{Name: r.group.Name() + "-caller", Instance: "ahead", Brokers: brokers, ReplyPartitions: 1}
	r.callers = []*running{startAhead(t, ahead)}
	return r, cfg, wanted
}

// based fails when something was removed that the snapshots do not have.
func (r *run) based() {
	r.t.Helper()
	gone, _ := removedIn(r.t, r.brokers, r.group)
	ctx, cancel := contextFor(r.t)
	defer cancel()
	have := map[string]uint64{}
	found, err := consumer.ReadSnapshots(ctx, consumer.JournalConfig{Kafka: connection(r.brokers), Group: r.group}, 0, func(s muster.StoredState) error {
		have[s.AggregateID] = s.Revision
		return nil
	})
	if err != nil || len(found.Faults) > 0 {
		r.t.Fatalf("the base: %+v, %v", found, err)
	}
	for key := range gone {
		if have[key.AggregateID] <= key.Revision {
			r.t.Errorf("%v was removed, the base has revision %d", key, have[key.AggregateID])
		}
	}
}

// trimmed fails unless all of these events are removed, and of others only those of commands that were the last ones.
func (r *run) trimmed(wanted map[muster.EventKey]bool) {
	r.t.Helper()
	gone, mark := removedIn(r.t, r.brokers, r.group)
	for key := range wanted {
		if !gone[key] {
			r.t.Errorf("%v was not removed", key)
		}
	}
	if mark == nil || len(gone) > len(wanted)+5*3 {
		r.t.Errorf("%d events removed, %d wanted; mark %+v", len(gone), len(wanted), mark)
	}
	r.based()
}
