package service_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/mustertest"
	"github.com/seed-3eec0498/muster/producer"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/service"
)

func TestOutwardIsATarget(t *testing.T) {
	mustertest.Target(t, func(t *testing.T) mustertest.TargetFixture {
		broker := kafkatest.Embedded(t, embedded.Config{Brokers: 3})
		fixture := outwardFixture(t, broker.Brokers(), "rows")
		fixture.Break = func() {
			broker.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Count: 1, Err: kerr.InvalidRecord})
		}
		return fixture
	})
}

func TestRealOutwardIsATarget(t *testing.T) {
	brokers := realBrokers(t)
	mustertest.Target(t, func(t *testing.T) mustertest.TargetFixture {
		return outwardFixture(t, brokers, kafkatest.UniqueName(t, "rows"))
	})
}

// outwardFixture publishes rows to a topic: a row is an event whose key is the row's and whose source is the shard.
func outwardFixture(t *testing.T, brokers []string, topic string) mustertest.TargetFixture {
	t.Helper()
	pub := projector.NewPublisher("totals", projector.To(topic, 3))
	tap := &kafkatest.Tap{}
	open := func() *service.Outward {
		connection := connection(brokers)
		connection.Options = tap.Option()
		o, err := service.OpenOutward(t.Context(), service.OutwardConfig{
			Kafka: connection, Service: topic, Create: true, Logger: slog.New(slog.DiscardHandler),
			Ledger: func(c *producer.LedgerConfig) { c.TransactionTimeout = 2 * time.Second },
		}, pub.Definition())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = o.Close() })
		return o
	}
	source := func(s projector.Shard) string {
		return kafka.LedgerShard{Projection: s.Projection, Generation: s.Generation, Number: s.Number}.String()
	}
	target := open()
	return mustertest.TargetFixture{
		Target: target, DropKeepsRows: true,
		Put: func(tx any, shard projector.Shard, key, value string) error {
			event := muster.CloudEvent{ID: key, Source: source(shard), Type: "row", Key: source(shard) + "/" + key}
			return pub.Hand(tx).Publish(t.Context(), topic, event, muster.Raw(value))
		},
		Rows: func(shard projector.Shard) map[string]string {
			rows := map[string]string{}
			for _, r := range committedRecords(t, brokers, topic) {
				if e, err := kafka.DecodeCloudEvent(r); err != nil {
					t.Error(err)
				} else if key, ours := strings.CutPrefix(e.Key, source(shard)+"/"); ours {
					rows[key] = string(e.Payload)
				}
			}
			return rows
		},
		Beside: func() projector.Target { return open() },
		Crash: func() projector.Target {
			_ = target.Close() // what it has open stays open at the broker
			return open()
		},
		Doubt: func() { tap.Arm(kmsg.EndTxn, 1_000_000, true) },
	}
}
