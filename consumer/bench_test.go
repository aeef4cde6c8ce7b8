package consumer_test

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
)

// backlog writes b.N commands of 200 bytes.
func backlog(b *testing.B) *cluster {
	b.Helper()
	c := start(b, 12)
	keys, payload := c.keys(), strings.Repeat("x", 200)
	for i := 0; i < b.N; i += 1000 {
		records := make([]*kgo.Record, min(1000, b.N-i))
		for j := range records {
			records[j] = c.record(keys[j%len(keys)], payload)
		}
		c.write(records...)
	}
	return c
}

// BenchmarkDrain takes a backlog through Poll and Done, decoded, without deciding and committing.
func BenchmarkDrain(b *testing.B) {
	c := backlog(b)
	m := run(b, oneLane(c.config("a")))
	b.ReportAllocs()
	b.ResetTimer()
	m.serveAll(12)
	for seen := 0; seen < b.N; {
		w := m.poll(0)
		seen += len(w.Commands)
		w.Done(len(w.Commands))
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commands/s")
}

// BenchmarkDrainRaw is the same backlog through a bare client, for comparison.
func BenchmarkDrainRaw(b *testing.B) {
	c := backlog(b)
	b.ReportAllocs()
	b.ResetTimer()
	client, err := c.kafka.Client(kgo.ConsumeTopics(c.commands()))
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	for seen := 0; seen < b.N; {
		seen += client.PollFetches(b.Context()).NumRecords()
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commands/s")
}

// BenchmarkReadJournal reads b.N events of 200 bytes.
func BenchmarkReadJournal(b *testing.B) {
	c := start(b, 1)
	for i := 0; i < b.N; i += 1000 {
		records := make([]*kgo.Record, min(1000, b.N-i))
		for j := range records {
			records[j] = c.event(uint64(i + j + 1))
		}
		c.write(records...)
	}
	end, seen := c.end(), 0
	b.ReportAllocs()
	b.ResetTimer()
	begin := time.Now()
	_, err := consumer.ReadJournal(within(b), c.journal(), 0, 0, end, func(events []muster.Event) error {
		seen += len(events)
		return nil
	}, nil)
	if err != nil || seen != b.N {
		b.Fatalf("%d of %d events, %v", seen, b.N, err)
	}
	b.ReportMetric(float64(b.N)/time.Since(begin).Seconds(), "events/s")
}
