package producer_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/producer"
)

// BenchmarkCommit commits on the embedded broker, which has neither replication nor markers that make the next transaction wait.
func BenchmarkCommit(b *testing.B) {
	for _, size := range []int{1, 100, 5_000} {
		b.Run(fmt.Sprintf("events=%d", size), func(b *testing.B) {
			ctx := b.Context()
			connection, accounts, stop, err := cluster(ctx)
			if err != nil {
				b.Fatal(err)
			}
			defer stop()
			p, err := producer.Open(ctx, producer.Config{Kafka: connection, Group: accounts, Instance: "one", Claims: outsider{}})
			if err != nil {
				b.Fatal(err)
			}
			defer p.Close()
			d := &muster.Decision{Group: accounts}
			for i := range size {
				id := fmt.Sprint("acc-", i%997)
				d.Events = append(d.Events, muster.Event{
					Meta: muster.Meta{
						ID: "01930000-0000-7000-8000-000000000000/0", Type: "bank.Credited", Group: "accounts", AggregateID: id, Revision: 1,
						Time: time.Now(), CorrelationID: "01930000-0000-7000-8000-000000000000", CausationID: "01930000-0000-7000-8000-000000000000",
						ContentType: "application/json", Partition: kafka.Partition(id, accounts.Partitions()),
					},
					Payload: make([]byte, 150), Count: 1,
				})
			}
			for partition := range accounts.Partitions() {
				d.Offsets = append(d.Offsets, muster.Progress{Partition: partition, Next: 1})
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := p.Lane(0).Commit(ctx, d); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(size)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
