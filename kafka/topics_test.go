package kafka_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

func TestMissingTopicsAreCreatedAsDesigned(t *testing.T) {
	for _, row := range []struct {
		brokers, replicas int
		minISR            string
	}{{1, 1, "1"}, {2, 1, "1"}, {3, 3, "2"}, {4, 3, "2"}} {
		ctx := within(t)
		_, client, adm := open(t, kfake.NumBrokers(row.brokers))
		group := muster.NewGroup("accounts", muster.Partitions(3), muster.CommandRetention(48*time.Hour))
		ids, err := kafka.EnsureGroup(ctx, client, group, "stage.", true)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]map[string]string{
			"stage.accounts.commands":  {"cleanup.policy": "delete", "retention.ms": "172800000"},
			"stage.accounts.events":    {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.5", "unclean.leader.election.enable": "false"},
			"stage.accounts.snapshots": {"cleanup.policy": "compact"},
			"stage.accounts.dead":      {"cleanup.policy": "delete", "retention.ms": "2592000000"},
		}
		if len(ids) != len(want) {
			t.Errorf("ids of %d topics", len(ids))
		}
		details, err := adm.ListTopics(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for topic, expected := range want {
			detail := details[topic]
			if len(detail.Partitions) != 3 || len(detail.Partitions[0].Replicas) != row.replicas {
				t.Errorf("%d brokers: %s has %d partitions, %d replicas", row.brokers, topic, len(detail.Partitions), len(detail.Partitions[0].Replicas))
			}
			if ids[topic] != detail.ID || ids[topic] == [16]byte{} {
				t.Errorf("%s: id %v, the cluster says %v", topic, ids[topic], detail.ID)
			}
			got := settings(ctx, t, adm, topic)
			expected["min.insync.replicas"], expected["max.message.bytes"] = row.minISR, "1048588"
			expected["message.timestamp.type"] = "LogAppendTime"
			for key, value := range expected {
				if got[key] != value {
					t.Errorf("%d brokers: %s: %s is %q, want %q", row.brokers, topic, key, got[key], value)
				}
			}
		}
		again, err := kafka.EnsureGroup(ctx, client, group, "stage.", false)
		if err != nil || len(again) != len(ids) {
			t.Errorf("second look: %v", err)
		}
	}
}

func TestMissingTopicsAreRefusedTogether(t *testing.T) {
	_, client, _ := open(t, kfake.NumBrokers(3))
	_, err := kafka.EnsureGroup(within(t), client, accounts, "", false)
	if muster.CodeOf(err) != muster.FailedPrecondition || muster.ReasonOf(err) != kafka.ReasonMissingTopic {
		t.Fatalf("%v", err)
	}
	for _, topic := range []string{"accounts.commands", "accounts.events", "accounts.snapshots", "accounts.dead"} {
		if !strings.Contains(err.Error(), "--create --topic "+topic+" --partitions 12 --replication-factor 3") {
			t.Errorf("%v\ndoes not say how to create %s", err, topic)
		}
	}
}

func TestTwoCreatorsAtOnce(t *testing.T) {
	ctx := within(t)
	cluster, _, adm := open(t, kfake.NumBrokers(3))
	const creators = 8
	ids := make([]kafka.TopicIDs, creators)
	faults := make([]error, creators)
	var all sync.WaitGroup
	for i := range creators {
		client, err := kafka.Config{Brokers: cluster.ListenAddrs()}.Client()
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		all.Go(func() { ids[i], faults[i] = kafka.EnsureGroup(ctx, client, accounts, "", true) })
	}
	all.Wait()
	if err := errors.Join(faults...); err != nil {
		t.Fatal(err)
	}
	details, err := adm.ListTopics(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i := range ids {
		for topic, id := range ids[i] {
			if id != details[topic].ID {
				t.Errorf("creator %d has another id of %s", i, topic)
			}
		}
	}
}

// The client's cache of metadata here outlives the test, so that an answer from it would never name the new topics.
func TestNewTopicIsKnownDespiteTheCacheThatSaidItIsMissing(t *testing.T) {
	ctx := within(t)
	cluster, _, _ := open(t, kfake.NumBrokers(1))
	client, err := kafka.Config{Brokers: cluster.ListenAddrs()}.Client(kgo.MetadataMinAge(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	adm := kadm.NewClient(client)
	if _, err := kafka.EnsureGroup(ctx, client, accounts, "", false); muster.ReasonOf(err) != kafka.ReasonMissingTopic {
		t.Fatalf("%v", err)
	}
	if _, err := adm.ListTopics(ctx, accounts.JournalTopic("")); err != nil { // fills the cache with "unknown"
		t.Fatal(err)
	}
	if _, err := kafka.EnsureGroup(ctx, client, accounts, "", true); err != nil {
		t.Fatal(err)
	}
}

func TestReplyTopic(t *testing.T) {
	ctx := within(t)
	_, client, adm := open(t, kfake.NumBrokers(3))
	n, err := kafka.EnsureReplies(ctx, client, "stage.", "web", 4, true)
	if err != nil || n != 4 {
		t.Fatalf("%d, %v", n, err)
	}
	got := settings(ctx, t, adm, "stage.replies.web")
	if got["cleanup.policy"] != "delete" || got["retention.ms"] != "3600000" || got["min.insync.replicas"] != "2" {
		t.Errorf("settings %v", got)
	}
	if n, err = kafka.EnsureReplies(ctx, client, "stage.", "web", 99, true); err != nil || n != 4 {
		t.Errorf("an existing topic keeps its count: %d, %v", n, err)
	}
	if _, err = kafka.EnsureReplies(ctx, client, "", "api", 4, false); muster.ReasonOf(err) != kafka.ReasonMissingTopic {
		t.Errorf("missing: %v", err)
	}
	for _, service := range []string{"", "we b", strings.Repeat("w", 250)} {
		if _, err = kafka.EnsureReplies(ctx, client, "", service, 4, true); muster.CodeOf(err) != muster.InvalidArgument {
			t.Errorf("service %q: %v", service, err)
		}
	}
}

func TestInvalidGroupIsRefusedBeforeTheClusterIsAsked(t *testing.T) {
	if _, err := kafka.EnsureGroup(t.Context(), nil, muster.NewGroup("no good"), "", true); err == nil {
		t.Error("accepted")
	}
}
