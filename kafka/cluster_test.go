package kafka_test

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/seed-3eec0498/muster/kafka"
)

// TestMain sees to it that no test leaves a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open starts an in-process cluster and a client of it; both end with the test.
func open(t testing.TB, opts ...kfake.Opt) (*kfake.Cluster, *kgo.Client, *kadm.Client) {
	t.Helper()
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	client, err := kafka.Config{Brokers: cluster.ListenAddrs()}.Client()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return cluster, client, kadm.NewClient(client)
}

// within gives the test's context with an end, so that a hang becomes a failure that says where.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// settings reads what the cluster says about a topic.
func settings(ctx context.Context, t testing.TB, adm *kadm.Client, topic string) map[string]string {
	t.Helper()
	all, err := adm.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	found, err := all.On(topic, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	for _, c := range found.Configs {
		m[c.Key] = c.MaybeValue()
	}
	return m
}

// contextOfCleanup serves cleanups, which run when the test's own context is over.
func contextOfCleanup(t testing.TB) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
}
