package producer_test

import (
	"context"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

type kgoRecord = kgo.Record

// watch calls see for every request of a kind, on the cluster's goroutine.
func (b *bed) watch(key kmsg.Key, see func(kmsg.Request)) {
	b.cluster.ControlKey(int16(key), func(req kmsg.Request) (kmsg.Response, error, bool) {
		see(req)
		return nil, nil, false
	})
}

func (b *bed) count(key kmsg.Key) *atomic.Int64 {
	n := &atomic.Int64{}
	b.watch(key, func(kmsg.Request) { n.Add(1) })
	return n
}

// sync runs f after everything that watch has seen so far: requests and this call take turns on the cluster's goroutine.
func (b *bed) sync(f func()) {
	b.cluster.LeaderFor(b.group.JournalTopic(""), 0)
	f()
}

// steal takes transactional ids away from whoever holds them.
func (b *bed) steal(ids ...string) {
	b.t.Helper()
	for _, id := range ids {
		req := kmsg.NewPtrInitProducerIDRequest()
		req.TransactionalID, req.TransactionTimeoutMillis = &id, 10_000
		resp, err := req.RequestWith(b.t.Context(), b.client)
		if err != nil || resp.ErrorCode != 0 {
			b.t.Fatal(id, err, resp)
		}
	}
}

func (b *bed) alter(topic, name, value string) {
	b.t.Helper()
	answers, err := kadm.NewClient(b.client).AlterTopicConfigs(b.t.Context(), []kadm.AlterConfig{{Name: name, Value: &value}}, topic)
	if err != nil || answers[0].Err != nil {
		b.t.Fatal(err, answers)
	}
}

// evict makes a static member leave the consumer group without asking it.
func (b *bed) evict(ctx context.Context, instance string) error {
	answers, err := kadm.NewClient(b.client).LeaveGroup(ctx, kadm.LeaveGroup(consumerGroup).InstanceIDs(instance))
	if err != nil {
		return err
	}
	return answers.Error()
}
