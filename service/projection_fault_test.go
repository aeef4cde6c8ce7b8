package service_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/service"
)

// The brokers refuse to have the journal read: the worker shows it and waits, what it has stays readable, and it goes on where it
// was.
func TestProjectionsOutliveAnOutage(t *testing.T) {
	broker := kafkatest.Embedded(t, embedded.Config{})
	b := newBank(t, muster.Partitions(2))
	owner := start(t, service.Config{Name: kafkatest.UniqueName(t, "bank"), Brokers: broker.Brokers(), DataDir: t.TempDir()}, b.owner(nil))
	w := &teller{t: t, b: b, owner: owner, want: map[string]balance{}}
	totals := b.totals()
	worker := start(t, service.Config{Name: kafkatest.UniqueName(t, "views"), Brokers: broker.Brokers(), DataDir: t.TempDir()}, totals)
	w.work(10, 3)
	w.check(totals, worker)

	faults := broker.Cluster().Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Fetch, kmsg.ListOffsets}, Err: kerr.UnknownServerError, Count: -1, Topic: b.group.JournalTopic(""),
	})
	w.work(10, 3)
	eventually(t, "the worker knows", func() bool {
		return !slices.ContainsFunc(worker.Projections(), func(st projector.Status) bool { return st.State != projector.Away })
	})
	for i := range 10 {
		if row, err := totals.Get(bounded(t), worker.Views(), fmt.Sprintf("acc-%d", i), projector.Stale()); err != nil || row.Events != 3 {
			t.Errorf("acc-%d during the outage: %+v, %v", i, row, err)
		}
	}
	faults.Remove()
	eventually(t, "both shards apply again", func() bool { return live(worker) == 2 })
	w.check(totals, worker)
}

// A shard that cannot go on says why, makes the service unhealthy but not unready, and holds up no other.
func TestAStoppedShardIsSeen(t *testing.T) {
	brokers := kafkatest.Embedded(t, embedded.Config{}).Brokers()
	b := newBank(t, muster.Partitions(2))
	totals := b.totals(projector.Where(func(e *muster.Event) bool {
		if e.AggregateID == "acc-1" {
			panic("unlucky")
		}
		return true
	}), projector.OnFailure(projector.Policy{Tries: 1, Then: projector.Stop}))
	s := start(t, service.Config{Name: kafkatest.UniqueName(t, "bank"), Brokers: brokers, DataDir: t.TempDir()}, b.owner(nil), totals)
	if _, err := b.deposit.Call(bounded(t), s.Client(), "acc-1", deposit{Amount: 1}, muster.WaitFor(totals)); muster.CodeOf(err) != muster.Unavailable {
		t.Errorf("waiting for a shard that stops: %v", err)
	}
	if err := s.Healthy(); err == nil {
		t.Error("a service with a stopped shard is healthy")
	}
	if err := s.Ready(); err != nil {
		t.Errorf("a service with a stopped shard is not ready: %v", err)
	}
	for _, st := range s.Projections() {
		if st.State == projector.Stopped && (st.Reason != projector.ReasonPanic || st.At == "") {
			t.Errorf("the stopped shard tells %q at %q", st.Reason, st.At)
		}
	}
	if live(s) != 1 {
		t.Errorf("status: %+v", s.Projections())
	}
}
