package service_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/history"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/service"
)

// meter is a contract whose journal keeps the latest event of each aggregate: the reading.
type meter struct {
	group *muster.Group
	add   *muster.CommandType[deposit, account]
	is    *muster.EventType[account]
}

func newMeter(t *testing.T) *meter {
	g := muster.NewGroup(kafkatest.UniqueName(t, "meters"), muster.Partitions(2), muster.Journal(muster.KeepLatest))
	return &meter{group: g, add: muster.NewCommand[deposit, account](g, "meter.Add"), is: muster.NewEvent[account](g, "meter.Is")}
}

func (m *meter) owner() *muster.Aggregate[account] {
	a := muster.NewAggregate(m.group, func() account { return account{} })
	muster.Decide(a, m.add, func(_ context.Context, r *muster.Root[account], in deposit) (account, error) {
		m.is.Emit(r, account{Balance: r.State().Balance + in.Amount})
		return r.State(), nil
	})
	muster.Evolve(a, m.is, func(_ account, e account) account { return e })
	return a
}

// turn adds 1 to each of ten meters, rounds times; the reading of each must be the revision.
func (m *meter) turn(ctx context.Context, t *testing.T, s *running, rounds, before int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for i := range rounds {
		for n := range 10 {
			var receipt muster.Receipt
			got, err := m.add.Call(ctx, s.Client(), fmt.Sprintf("meter-%d", n), deposit{Amount: 1}, muster.ReceiptTo(&receipt))
			if want := int64(before + i + 1); err != nil || got.Balance != want || int64(receipt.Revision) != want {
				t.Fatalf("meter %d reads %+v at revision %d, %v; want %d", n, got, receipt.Revision, err, want)
			}
		}
	}
}

// config is that of an owner of the meters.
func (m *meter) config(t *testing.T, brokers []string) service.Config {
	return service.Config{Name: m.group.Name(), Brokers: brokers, DataDir: t.TempDir(), ReplyPartitions: 1, Recovery: service.Recovery{SnapshotEvery: -1}}
}

// An owner of a journal that keeps the latest loses its disk and goes on where it was.
func TestKeepLatest(t *testing.T) {
	m := newMeter(t)
	cfg := m.config(t, kafkatest.Brokers(t))
	s := start(t, cfg, m.owner())
	m.turn(t.Context(), t, s, 3, 0)
	s.end()
	if err := os.RemoveAll(cfg.DataDir + "/state"); err != nil {
		t.Fatal(err)
	}
	s = start(t, cfg, m.owner())
	m.turn(t.Context(), t, s, 2, 3)
	j, err := history.Read(t.Context(), kafka.Config{Brokers: cfg.Brokers}, m.group)
	if err != nil || j.Len() != 50 {
		t.Errorf("%d events, %v", j.Len(), err)
	}
}

// Apache Kafka compacts the journal under the owner. What is left is enough: the state comes back, and revisions go on from the last one.
func TestKeepLatestCompacted(t *testing.T) {
	m := newMeter(t)
	brokers := kafkatest.RealWith(t, kafkatest.Config{Properties: map[string]string{"log.cleaner.backoff.ms": "200"}}).Addresses()
	cfg := m.config(t, brokers)
	ctx, cancel := contextFor(t)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	s := start(t, cfg, m.owner())
	m.turn(ctx, t, s, 10, 0)
	var eager []kadm.AlterConfig
	for name, value := range map[string]string{
		"segment.ms": "100", "min.cleanable.dirty.ratio": "0.01", "min.compaction.lag.ms": "0", "max.compaction.lag.ms": "100",
	} {
		eager = append(eager, kadm.AlterConfig{Name: name, Value: &value})
	}
	if _, err := kadm.NewClient(client).AlterTopicConfigs(ctx, eager, m.group.JournalTopic("")); err != nil {
		t.Fatal(err)
	}
	turned, left := 10, 0
	eventually(t, "compaction", func() bool { // the active segment rolls with the next append
		m.turn(ctx, t, s, 1, turned)
		turned++
		j, err := history.Read(ctx, kafka.Config{Brokers: brokers}, m.group)
		if err != nil {
			t.Fatal(err)
		}
		left = j.Len()
		return left < turned*10-50
	})
	s.end()
	t.Logf("%d of %d events are left", left, turned*10)
	if err := os.RemoveAll(cfg.DataDir + "/state"); err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	cfg.Metrics = registry
	s = start(t, cfg, m.owner())
	if read := total(t, registry, "muster_replayed_events_total", nil); int(read) >= turned*10-50 {
		t.Errorf("%v of %d events were read", read, turned*10)
	}
	m.turn(ctx, t, s, 2, turned)
}
