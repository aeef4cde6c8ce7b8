package kafka_test

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// Each row spoils one topic of a healthy group; the next start must refuse it, name it and say how to mend it.
func TestWrongTopicsAreRefused(t *testing.T) {
	set := func(topic, key, value string) func(*testing.T, *kadm.Client) {
		return func(t *testing.T, adm *kadm.Client) { alter(t, adm, topic, key, value) }
	}
	rows := map[string]struct {
		spoil  func(*testing.T, *kadm.Client)
		reason string
		says   []string
	}{
		"partitions added": {
			func(t *testing.T, adm *kadm.Client) {
				if _, err := adm.UpdatePartitions(within(t), 24, "accounts.commands"); err != nil {
					t.Fatal(err)
				}
			}, kafka.ReasonPartitionCount,
			[]string{"topic accounts.commands: found 24 partitions, needed 12", "muster.Partitions(24)", "--delete --topic accounts.commands"},
		},
		"journal deletes": {
			set("accounts.events", "cleanup.policy", "delete"), kafka.ReasonCleanupPolicy,
			[]string{"topic accounts.events: found cleanup.policy=delete, needed compact", "kafka-configs.sh", "--entity-name accounts.events --add-config cleanup.policy=compact"},
		},
		"journal deletes too": {
			set("accounts.events", "cleanup.policy", "compact,delete"), kafka.ReasonCleanupPolicy, []string{"found cleanup.policy=compact,delete, needed compact"},
		},
		"commands compacted": {
			set("accounts.commands", "cleanup.policy", "compact"), kafka.ReasonCleanupPolicy, []string{"--entity-name accounts.commands --add-config cleanup.policy=delete"},
		},
		"min ISR of one": {
			set("accounts.events", "min.insync.replicas", "1"), kafka.ReasonMinInSync,
			[]string{"found min.insync.replicas=1 with 3 replicas, needed 2", "--add-config min.insync.replicas=2"},
		},
		"min ISR beyond replicas": {
			set("accounts.dead", "min.insync.replicas", "4"), kafka.ReasonMinInSync, []string{"topic accounts.dead", "nothing can ever be written"},
		},
		"small messages": {
			set("accounts.commands", "max.message.bytes", "1000"), kafka.ReasonMaxMessage,
			[]string{"found max.message.bytes=1000, needed at least 1048588", "--add-config max.message.bytes=1048588"},
		},
		"unclean elections": {
			set("accounts.events", "unclean.leader.election.enable", "true"), kafka.ReasonUnclean, []string{"topic accounts.events", "--add-config unclean.leader.election.enable=false"},
		},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			ctx := within(t)
			_, client, adm := open(t, kfake.NumBrokers(3))
			if _, err := kafka.EnsureGroup(ctx, client, accounts, "", true); err != nil {
				t.Fatal(err)
			}
			row.spoil(t, adm)
			ids, err := kafka.EnsureGroup(ctx, client, accounts, "", true)
			if ids != nil || muster.CodeOf(err) != muster.FailedPrecondition || muster.ReasonOf(err) != row.reason {
				t.Fatalf("%v (%s)", err, muster.ReasonOf(err))
			}
			for _, says := range row.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%v\ndoes not say %q", err, says)
				}
			}
		})
	}
}

func alter(t *testing.T, adm *kadm.Client, topic, key, value string) {
	t.Helper()
	answers, err := adm.AlterTopicConfigs(within(t), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: key, Value: &value}}, topic)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := answers.On(topic, func(r *kadm.AlterConfigsResponse) error { return r.Err }); err != nil {
		t.Fatal(err)
	}
}

func TestAllFaultsAreReportedAtOnce(t *testing.T) {
	ctx := within(t)
	_, client, adm := open(t, kfake.NumBrokers(3))
	if _, err := adm.CreateTopics(ctx, 5, 3, nil, "accounts.commands", "accounts.events", "accounts.snapshots", "accounts.dead"); err != nil {
		t.Fatal(err)
	}
	_, err := kafka.EnsureGroup(ctx, client, accounts, "", true)
	if err == nil {
		t.Fatal("accepted")
	}
	for says, times := range map[string]int{
		"found 5 partitions": 4, "found cleanup.policy=delete": 2, "found min.insync.replicas=1 with 3 replicas": 4,
	} {
		if got := strings.Count(err.Error(), says); got != times {
			t.Errorf("%q is said %d times, want %d:\n%v", says, got, times, err)
		}
	}
}

func TestRecreatedTopicIsRefused(t *testing.T) {
	ctx := within(t)
	_, client, adm := open(t, kfake.NumBrokers(1))
	before, err := kafka.EnsureGroup(ctx, client, accounts, "", true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := adm.DeleteTopic(ctx, "accounts.events"); err != nil {
		t.Fatal(err)
	}
	after, err := kafka.EnsureGroup(ctx, client, accounts, "", true)
	if err != nil {
		t.Fatal(err)
	}
	err = after.CheckSame("accounts.events", before["accounts.events"])
	if muster.CodeOf(err) != muster.FailedPrecondition || muster.ReasonOf(err) != kafka.ReasonRecreated ||
		!strings.Contains(err.Error(), "topic accounts.events") || !strings.Contains(err.Error(), "removing the data directory") {
		t.Errorf("%v", err)
	}
	if err := after.CheckSame("accounts.commands", before["accounts.commands"]); err != nil {
		t.Errorf("unchanged: %v", err)
	}
	if err := after.CheckSame("accounts.events", [16]byte{}); err != nil {
		t.Errorf("nothing stored: %v", err)
	}
}
