//go:build unix

package service_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/service"
)

// copiesLive counts the copies that an instance keeps and that have caught up.
func copiesLive(s *running) (n int) {
	for _, st := range s.Projections() {
		if st.Standby && st.State == projector.Live && st.Lag == 0 {
			n++
		}
	}
	return n
}

// Three instances share a view and keep a copy of each shard. One is killed: until the group knows, old rows of its shards are read from the copies;
// then the others serve them, and have applied nothing again.
func TestCopiesTakeOverFromTheDead(t *testing.T) {
	const partitions, events = 6, 4
	brokers := anyBrokers(t)
	b := newBank(t, muster.Partitions(partitions))
	owner := start(t, service.Config{Name: kafkatest.UniqueName(t, "bank"), Brokers: brokers, DataDir: t.TempDir()}, b.owner(nil))
	w := &teller{t: t, b: b, owner: owner, want: map[string]balance{}}
	totals := b.totals(projector.Standbys(1), projector.RouteBy(projector.ByKey))
	seen := map[string]*prometheus.Registry{"a": prometheus.NewRegistry(), "c": prometheus.NewRegistry()}
	cfg := func(instance string) service.Config {
		return service.Config{
			Name: b.group.Name() + "-views", Instance: instance, Brokers: brokers, DataDir: t.TempDir(), SessionTimeout: session, Metrics: seen[instance],
		}
	}
	a, c := newReplica(t, cfg("a"), totals), newReplica(t, cfg("c"), totals)
	dies := view(t, viewerConfig{
		Group: b.group.Name(), Partitions: partitions, Brokers: brokers, Service: b.group.Name() + "-views", Instance: "dies", Dir: t.TempDir(), Session: session,
		Standbys: 1,
	})
	w.work(24, events)
	eventually(t, "each holds a third, and two have copies of a third each", func() bool {
		return live(a.running) == 4 && live(c.running) == 4 && copiesLive(a.running) == 2 && copiesLive(c.running) == 2
	})
	ends, err := owner.JournalEnd(bounded(t), b.group)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "what they hold and their copies have all there is", func() bool {
		for _, st := range append(a.Projections(), c.Projections()...) {
			if end := ends[st.Shard]; st.Checkpoint[0].Next <= end.Offset {
				return false
			}
		}
		return true
	})
	eventually(t, "an operator sees all copies", func() bool {
		all, err := a.Operator().Status(bounded(t), projector.Scope{Projection: "totals"})
		return err == nil && len(all) == 2*partitions && len(slices.DeleteFunc(all, func(st projector.Status) bool { return !st.Standby })) == partitions
	})
	before := counted(t, seen["a"], "muster_projection_events_total", "totals@1") + counted(t, seen["c"], "muster_projection_events_total", "totals@1")
	for _, registry := range seen {
		if counted(t, registry, "muster_projection_standby_events_total", "totals@1") == 0 {
			t.Error("no event was counted for the copies of an instance")
		}
	}

	dies.kill()
	for i := range 24 { // it still has its shards in the eyes of the group
		id := fmt.Sprintf("acc-%d", i)
		if row, err := totals.Get(bounded(t), a.Views(), id, projector.Stale()); err != nil || row != w.want[id] {
			t.Errorf("%s, old rows allowed: %+v, %v; want %+v", id, row, err, w.want[id])
		}
	}
	eventually(t, "the others serve what it had", func() bool {
		return live(a.running)-copiesLive(a.running) == 3 && live(c.running)-copiesLive(c.running) == 3
	})
	w.check(totals, a.running, c.running)
	after := counted(t, seen["a"], "muster_projection_events_total", "totals@1") + counted(t, seen["c"], "muster_projection_events_total", "totals@1")
	if after != before {
		t.Errorf("the take-over applied %v events of %d; the copies had them all", after-before, 24*events)
	}
	eventually(t, "each has copies of what the other holds", func() bool { return copiesLive(a.running) == 3 && copiesLive(c.running) == 3 })
}
