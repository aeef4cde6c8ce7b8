package kafka_test

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// Each broker in turn learns of a topic late. What is opened next may ask any of them.
func TestTopicsAreKnownToEveryBroker(t *testing.T) {
	for late := range int32(3) {
		cluster, client, _ := open(t, kfake.NumBrokers(3))
		const answers = 4
		lag := cluster.Fault(kfake.Fault{
			Nodes: []int32{late}, Keys: []kmsg.Key{kmsg.Metadata}, Topic: accounts.JournalTopic(""), Err: kerr.UnknownTopicOrPartition, Count: answers,
		})
		if _, err := kafka.EnsureGroup(within(t), client, accounts, "", true); err != nil {
			t.Fatal(err)
		}
		if lag.Hits() != answers {
			t.Errorf("EnsureGroup was done after %d of %d answers of broker %d that there is no such topic", lag.Hits(), answers, late)
		}
	}
}

// A broker that is gone or does not answer holds a start up for a bounded time only.
func TestABrokerThatCannotBeAskedIsNotWaitedFor(t *testing.T) {
	cluster, client, _ := open(t, kfake.NumBrokers(3))
	ctx := within(t)
	if _, err := kafka.EnsureGroup(ctx, client, accounts, "", true); err != nil {
		t.Fatal(err)
	}
	asked := cluster.Fault(kfake.Fault{Nodes: []int32{2}, Keys: []kmsg.Key{kmsg.Metadata}, TopLevel: true, Observe: true, Count: -1})
	if _, err := kafka.EnsureGroup(ctx, client, accounts, "", false); err != nil || asked.Hits() == 0 {
		t.Fatalf("%v, asked %d times", err, asked.Hits())
	}
	cluster.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		every := !req.(*kmsg.MetadataRequest).IncludeTopicAuthorizedOperations // the first question, to any broker, is about rights, too
		return nil, errors.New("broken connection"), every && cluster.CurrentNode() == 2
	})
	if ids, err := kafka.EnsureGroup(ctx, client, muster.NewGroup("orders"), "", true); err != nil || len(ids) != 4 {
		t.Errorf("%v, %v", ids, err)
	}
}
