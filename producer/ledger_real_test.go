package producer_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/producer"
)

// known waits until every broker knows a topic.
func (b *blackout) known(topic string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 90*time.Second)
	defer cancel()
	for broker := range b.cluster.Brokers() {
		for {
			req, asked := kmsg.NewPtrMetadataRequest(), kmsg.NewMetadataRequestTopic()
			asked.Topic = &topic
			req.Topics = append(req.Topics, asked)
			resp, err := b.client.Broker(broker).RetriableRequest(ctx, req)
			if err != nil {
				b.t.Fatal(err)
			}
			if resp.(*kmsg.MetadataResponse).Topics[0].ErrorCode == 0 {
				break
			}
		}
	}
}

// The checkpoints topic loses its last replica between the end of transactions and their markers, which are then never written; see
// TestRealHangingTransactions.
func TestRealScribeHanging(t *testing.T) {
	b := newBlackout(t)
	adm := kadm.NewClient(b.client)
	compact := "compact"
	topic := kafka.LedgerTopic("", b.group.Name())
	if _, err := adm.CreateTopic(t.Context(), kafka.LedgerPartitions, 1, map[string]*string{"cleanup.policy": &compact}, topic); err != nil {
		t.Fatal(err)
	}
	b.known(topic)
	found := newFindings()
	open := func(failpoint func(string)) *producer.Ledger {
		l, err := producer.OpenLedger(t.Context(), producer.LedgerConfig{
			Kafka: b.connection(), Service: b.group.Name(), TransactionTimeout: time.Minute, OnHanging: found.add, Failpoint: failpoint,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(l.Close)
		return l
	}
	listed, err := adm.ListTopics(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	var led []int32
	for _, p := range listed[topic].Partitions.Sorted() {
		if p.Leader == b.broker {
			led = append(led, p.Partition)
		}
	}
	// shard gives one in a partition of the dark broker whose id another one coordinates.
	used := map[int32]bool{}
	shard := func() kafka.LedgerShard {
		for n := int32(0); ; n++ {
			s := kafka.LedgerShard{Projection: "mail@1", Number: n}
			id := b.group.Name() + "/projections/" + s.String()
			if slices.Contains(led, s.Partition()) && !used[s.Partition()] && b.coordinator(adm.FindTxnCoordinators, id) != b.broker {
				used[s.Partition()] = true
				return s
			}
		}
	}
	write := func(s kafka.LedgerShard) (*producer.Ledger, chan error) {
		l := open(func(point string) {
			if point == producer.PointAfterProduce {
				b.arrived <- struct{}{}
				<-b.dead
			}
		})
		scribe, err := l.Claim(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		answer := make(chan error, 1)
		go func() { answer <- scribe.Write(t.Context(), next(7), nil) }()
		<-b.arrived
		return l, answer
	}
	resting, claimed, left := shard(), shard(), shard()
	_, one := write(resting)
	dead, two := write(claimed)
	gone, three := write(left)
	b.dark()
	for _, answer := range []chan error{one, two, three} {
		want(t, <-answer, nil)
	}
	dead.Close()
	gone.Close()
	b.light()
	heir := open(nil)
	visible := func(s kafka.LedgerShard) {
		t.Helper()
		found.await(t, topic, s.Partition(), producer.OutcomeCommitted)
		at := int64(0)
		for _, r := range b.committed(topic) {
			if e, err := kafka.DecodeLedger(r, s); err == nil {
				at = e.Checkpoint.Next
			}
		}
		if at != 7 {
			t.Errorf("shard %s goes on at %d", s, at)
		}
	}
	if _, err := heir.Claim(t.Context(), claimed); err != nil { // somebody takes the shard over
		t.Fatal(err)
	}
	if mended, err := heir.Mend(t.Context(), left.Partition()); err != nil || len(mended) != 1 { // somebody reads beside it
		t.Errorf("mended %v, %v", mended, err)
	}
	for _, s := range []kafka.LedgerShard{resting, claimed, left} { // the first one's holder lives, and sees to it by itself
		visible(s)
	}
}
