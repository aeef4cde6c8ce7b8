package consumer_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster/consumer"
)

// journalOf writes about n events of 200 bytes, the same number to each partition, and gives how many.
func (c *cluster) journalOf(n int) int {
	keys, payload, written := c.keys(), make([]byte, 200), 0
	for written < n {
		var records []*kgo.Record
		for range 100 {
			for _, key := range keys {
				r := c.eventOf(key, written/len(keys)+len(records)/len(keys)+1)
				r.Value = payload
				records = append(records, r)
			}
		}
		c.write(records...)
		written += len(records)
	}
	return written
}

// BenchmarkFeeds reads a journal through one feed for each of twelve partitions, decoded, by a goroutine each.
func BenchmarkFeeds(b *testing.B) {
	c := start(b, 12)
	n := c.journalOf(b.N)
	feeds, ends := c.feeds(b, 0), c.ends(b)
	b.ReportAllocs()
	b.ResetTimer()
	counts := make(chan int, 12)
	for source, end := range ends {
		feed, err := feeds.Open(b.Context(), map[consumer.Source]int64{source: 0})
		if err != nil {
			b.Fatal(err)
		}
		go func() {
			seen := 0
			for next := int64(0); next < end; {
				portions, err := feed.Next(b.Context())
				if err != nil {
					b.Error(err)
					break
				}
				for _, p := range portions {
					seen, next = seen+len(p.Events), p.Next
				}
			}
			counts <- seen
		}()
	}
	seen := 0
	for range ends {
		seen += <-counts
	}
	b.StopTimer()
	if seen != n {
		b.Errorf("%d of %d events", seen, n)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkFeedsRaw is the same journal through a bare client that reads committed records, for comparison.
func BenchmarkFeedsRaw(b *testing.B) {
	c := start(b, 12)
	n := c.journalOf(b.N)
	b.ReportAllocs()
	b.ResetTimer()
	client, err := c.kafka.Client(kgo.ConsumeTopics(c.events()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	for seen := 0; seen < n; {
		seen += client.PollFetches(b.Context()).NumRecords()
	}
	b.StopTimer()
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
}
