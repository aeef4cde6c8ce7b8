package service_test

import (
	"log/slog"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/service"
)

// A publisher with the rights that docs/security.md lists beside those for reading, and no more.
func securedPublisher(t *testing.T, cluster *kafkatest.Secured) {
	cluster.Allow("User:publisher",
		"Read topic checkpoints.workers", "Write topic checkpoints.workers", "DescribeConfigs topic checkpoints.workers", "Create topic checkpoints.workers",
		"Write transactional-id workers/projections/*", "Write topic public", "DescribeConfigs topic public", "Create topic public")
	connection := kafka.Config{
		Brokers: []string{cluster.SASL}, TLS: kafka.TLS{Enabled: true, CAPEM: cluster.Authority.PEM},
		SASL: kafka.SASL{Mechanism: kafka.Plain, User: "publisher", Password: "publisher-secret"},
	}
	pub := projector.NewPublisher("public", projector.To("public", 2))
	target, err := service.OpenOutward(bounded(t), service.OutwardConfig{
		Kafka: connection, Service: "workers", Create: true, Logger: slog.New(slog.DiscardHandler),
	}, pub.Definition())
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	shard := projector.Shard{Projection: "public@1", Name: "public", Version: 1, Number: 1, Sources: []projector.Source{{Topic: "accounts.events", Partition: 1}}}
	for round := range int64(2) {
		h, err := target.Claim(bounded(t), shard)
		if err != nil {
			t.Fatal(err)
		}
		stored, err := h.Stored(bounded(t))
		if err != nil || int64(len(stored.Checkpoints)) != round {
			t.Fatalf("round %d: %+v, %v", round, stored, err)
		}
		batch, err := h.Begin(bounded(t))
		if err != nil {
			t.Fatal(err)
		}
		batch.Before(&projector.Running{Shard: shard, ID: "public/c1/0"})
		if err := pub.Hand(batch.Tx()).Publish(t.Context(), "public", muster.CloudEvent{Source: "accounts", Type: "t"}, nil); err != nil {
			t.Fatal(err)
		}
		if err := batch.Commit(bounded(t), projector.Change{Checkpoints: []projector.Checkpoint{{Source: shard.Sources[0], Next: round + 1, LastAt: -1}}}); err != nil {
			t.Fatal(err)
		}
		h.Release()
	}
}
