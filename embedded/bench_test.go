package embedded_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster/embedded"
)

// BenchmarkStart is the time until a broker answers, and until it has ended: a tenth of a second is what its documentation promises.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		broker, err := embedded.Start(b.Context(), embedded.Config{})
		if err != nil {
			b.Fatal(err)
		}
		client, err := kgo.NewClient(kgo.SeedBrokers(broker.Brokers()...))
		if err != nil {
			b.Fatal(err)
		}
		if err := client.Ping(b.Context()); err != nil {
			b.Fatal(err)
		}
		client.Close()
		broker.Close()
	}
}
