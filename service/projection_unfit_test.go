package service_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/service"
)

// journalAnew deletes the journal of a group, with what depends on it, and makes it again.
func journalAnew(t *testing.T, brokers []string, g *muster.Group) {
	t.Helper()
	raw, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	admin := kadm.NewClient(raw)
	if _, err := admin.DeleteTopics(bounded(t), g.CommandTopic(""), g.JournalTopic(""), g.SnapshotTopic(""), g.DeadLetterTopic("")); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.DeleteGroups(bounded(t), g.Name()); err != nil {
		t.Fatal(err)
	}
	made, err := kafka.OpenAdmin(bounded(t), kafka.Config{Brokers: brokers})
	if err != nil {
		t.Fatal(err)
	}
	defer made.Close()
	if _, err := made.EnsureGroup(bounded(t), g, true); err != nil {
		t.Fatal(err)
	}
}

// The journal of a view is deleted and made again while the view is served. Its rows are made anew, which is told, and until that is done
// nobody reads what there is of them as if it were all.
func TestAViewFollowsAJournalThatWasMadeAgain(t *testing.T) {
	brokers := kafkatest.Embedded(t, embedded.Config{}).Brokers()
	b := newBank(t, muster.Partitions(1))
	cfg := service.Config{Name: kafkatest.UniqueName(t, "bank"), Brokers: brokers, DataDir: t.TempDir()}
	owner := start(t, cfg, b.owner(nil))
	var gate sync.RWMutex // held: the function waits
	totals := projector.NewView[balance]("totals")
	projector.On(totals, b.credited, func(_ context.Context, rows *projector.Rows[balance], e credited, m muster.Meta) error {
		gate.RLock()
		defer gate.RUnlock()
		return rows.Update(m.AggregateID, func(t balance) balance { return balance{t.Sum + e.Amount, t.Events + 1} })
	})
	quick := kafka.Config{Options: []kgo.Opt{kgo.RetryBackoffFn(func(int) time.Duration { return time.Millisecond })}} // six refusals tell that it is another topic
	registry := prometheus.NewRegistry()
	worker := start(t, service.Config{Name: kafkatest.UniqueName(t, "views"), Brokers: brokers, DataDir: t.TempDir(), Metrics: registry, Kafka: quick}, totals)
	w := &teller{t: t, b: b, owner: owner, want: map[string]balance{}}
	w.work(3, 2)
	w.check(totals, worker)
	owner.end()

	gate.Lock()
	journalAnew(t, brokers, b.group)
	cfg.DataDir = t.TempDir()
	w.owner, w.want = start(t, cfg, b.owner(nil)), map[string]balance{}
	w.work(1, 1)
	eventually(t, "the shard is built anew", func() bool {
		all := worker.Projections()
		return counted(t, registry, "muster_projection_rebuilds_total", "topic-recreated") == 1 && len(all) == 1 && all[0].State == projector.CatchingUp
	})
	if _, err := worker.LocalQueries().Read(bounded(t), projector.Query{View: "totals", Key: "acc-1"}); muster.CodeOf(err) != muster.Unavailable {
		t.Errorf("a row of rows that are being made anew: %v", err)
	}
	gate.Unlock()
	eventually(t, "it is live", func() bool { return live(worker) == 1 })
	w.check(totals, worker)
}
