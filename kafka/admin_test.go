package kafka_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

func TestAdminWorksUnderItsPrefix(t *testing.T) {
	ctx := within(t)
	cluster, _, adm := open(t, kfake.NumBrokers(3))
	admin, err := kafka.OpenAdmin(ctx, kafka.Config{Brokers: cluster.ListenAddrs(), Prefix: "stage."})
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if err := admin.CheckTransactions(ctx); err != nil {
		t.Error(err)
	}
	ids, err := admin.EnsureGroup(ctx, accounts, true)
	if err != nil || len(ids) != 4 || ids["stage.accounts.events"] == [16]byte{} {
		t.Errorf("%v, %v", ids, err)
	}
	if n, err := admin.EnsureReplies(ctx, "web", 2, true); err != nil || n != 2 {
		t.Errorf("%d, %v", n, err)
	}
	topics, err := adm.ListTopics(ctx)
	if err != nil || len(topics) != 5 || !topics.Has("stage.replies.web") {
		t.Errorf("%v, %v", topics.Names(), err)
	}
}

func TestAdminOfABrokerThatIsGone(t *testing.T) {
	t.Parallel() // it waits most of the time
	cluster, err := kfake.NewCluster()
	if err != nil {
		t.Fatal(err)
	}
	brokers := cluster.ListenAddrs()
	cluster.Close()
	ctx, cancel := context.WithTimeout(within(t), 2*time.Second) // the client tries again and again until then
	defer cancel()
	_, err = kafka.OpenAdmin(ctx, kafka.Config{Brokers: brokers})
	if muster.CodeOf(err) != muster.Unavailable || !strings.Contains(err.Error(), "reach the brokers") {
		t.Errorf("%v", err)
	}
	if _, err := kafka.OpenAdmin(ctx, kafka.Config{Prefix: "/"}); err == nil {
		t.Error("a bad prefix was accepted")
	}
}
