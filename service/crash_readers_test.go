//go:build unix

package service_test

import (
	"fmt"
	"maps"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/producer"
)

// What a reader by any other client gets of the journal after an owner died in the middle of a transaction: read_committed, each event once
// under its key; read_uncommitted, what was aborted as well.
func TestJournalByOtherClients(t *testing.T) {
	brokers := realBrokers(t)
	r := newRun(t, brokers, 1, 1)
	cfg := childConfig{
		Group: r.group.Name(), Partitions: 1, Brokers: brokers, Dir: t.TempDir(), Instance: "one", Point: producer.PointAfterProduce, Hit: 9,
	}
	orders := r.orders(8, 3)
	last := order{id: "aborted at first", aggregate: "acc-0", events: 2}
	first := launch(t, cfg)
	first.await("ready")
	r.give(orders, 1)
	_, err := r.add.Send(t.Context(), r.callers[0].Client(), last.aggregate, appendix{Command: last.id, Events: last.events}, muster.CommandID(last.id))
	if err != nil {
		t.Fatal(err)
	}
	first.await("at " + cfg.Point)
	first.kill()
	cfg.Point = ""
	second := launch(t, cfg)
	second.await("ready")
	r.give(r.orders(10, 3), 1)
	j := r.verify()
	second.end()

	want := map[string]int{}
	for i := range j.Events[0] {
		want[fmt.Sprintf("%s/%d", j.Events[0][i].AggregateID, j.Events[0][i].Revision)]++
	}
	if got := r.keys(kgo.ReadCommitted()); !maps.Equal(got, want) {
		t.Errorf("read_committed sees %v, want each event once: %v", got, want)
	}
	if got := r.keys(kgo.ReadUncommitted()); maps.Equal(got, want) {
		t.Error("read_uncommitted sees nothing of the aborted transaction; was there one?")
	}
}

// keys counts the record keys of the one partition up to its end.
func (r *run) keys(level kgo.IsolationLevel) map[string]int {
	r.t.Helper()
	ctx, cancel := contextFor(r.t)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(r.brokers...), kgo.ConsumeTopics(r.group.JournalTopic("")), kgo.FetchIsolationLevel(level),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.KeepControlRecords())
	if err != nil {
		r.t.Fatal(err)
	}
	defer client.Close()
	found := map[string]int{}
	for next, end := int64(0), int64(1); next < end; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			r.t.Fatal(err)
		}
		fetches.EachPartition(func(p kgo.FetchTopicPartition) { end = p.HighWatermark })
		fetches.EachRecord(func(record *kgo.Record) {
			next = record.Offset + 1
			if !record.Attrs.IsControl() {
				found[string(record.Key)]++
			}
		})
	}
	return found
}
