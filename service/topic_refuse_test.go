package service_test

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/service"
)

// refused opens and wants an error that has all parts.
func refused(st *stage, cfg service.Config, parts ...string) {
	st.t.Helper()
	s, err := service.Open(st.within(), cfg, st.owner(nil))
	if err == nil {
		_ = s.Close()
		st.t.Error("opened")
		return
	}
	if muster.CodeOf(err) != muster.FailedPrecondition {
		st.t.Errorf("code %v; want FAILED_PRECONDITION", muster.CodeOf(err))
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			st.t.Errorf("the error does not say %q:\n%v", part, err)
		}
	}
}

// Topics that are not as the group needs them are refused, all at once, with what was found, what is needed and the command that mends it.
func TestTopicsThatDoNotFit(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 3)
	admin := kadm.NewClient(st.raw)
	compact, deletes, small := "compact", "delete", "1000"
	for topic, c := range map[string]struct {
		partitions int32
		settings   map[string]*string
	}{
		st.group.CommandTopic(""):    {3, map[string]*string{"cleanup.policy": &compact}},
		st.group.JournalTopic(""):    {3, map[string]*string{"cleanup.policy": &deletes}},
		st.group.SnapshotTopic(""):   {5, map[string]*string{"cleanup.policy": &compact}},
		st.group.DeadLetterTopic(""): {3, map[string]*string{"cleanup.policy": &deletes, "max.message.bytes": &small}},
	} {
		if _, err := admin.CreateTopic(st.within(), c.partitions, 1, c.settings, topic); err != nil {
			t.Fatal(err)
		}
	}
	refused(st, st.config(),
		st.group.CommandTopic("")+": found cleanup.policy=compact, needed delete", "--add-config cleanup.policy=delete",
		st.group.JournalTopic("")+": found cleanup.policy=delete, needed compact", "--add-config cleanup.policy=compact",
		st.group.SnapshotTopic("")+": found 5 partitions, needed 3", "muster.Partitions(5)",
		st.group.DeadLetterTopic("")+": found max.message.bytes=1000", "--add-config max.message.bytes=")
}

func TestTopicsThatMayNotBeMade(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 3)
	cfg := st.config()
	cfg.ExistingTopics = true
	refused(st, cfg, st.group.CommandTopic("")+": found none", st.group.JournalTopic("")+": found none", "kafka-topics.sh", "--create --topic "+muster.ReplyTopic("", cfg.Name))
	st.open() // makes them
	second := st.config()
	second.ExistingTopics, second.Metrics = true, nil
	st.served(start(t, second, st.owner(nil)), "acc-1")
}

// Somebody adds partitions behind the group's back: aggregates would move. The owner refuses to start, and callers to send.
func TestTopicWithPartitionsAdded(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 2)
	cfg := worked(st)
	if _, err := kadm.NewClient(st.raw).CreatePartitions(st.within(), 1, st.group.CommandTopic("")); err != nil {
		t.Fatal(err)
	}
	caller := start(t, callerOf(st))
	st.until("the brokers tell of it", func() bool {
		topics, err := kadm.NewClient(st.raw).ListTopics(t.Context(), st.group.CommandTopic(""))
		return err == nil && len(topics[st.group.CommandTopic("")].Partitions) == 3
	})
	refused(st, cfg, st.group.CommandTopic("")+": found 3 partitions, needed 2", "fixed for life")
	_, err := st.deposit.Call(st.within(), caller.Client(), "acc-1", deposit{Amount: 1})
	if muster.CodeOf(err) != muster.FailedPrecondition || !strings.Contains(err.Error(), "3 partitions") {
		t.Errorf("call: %v; want FAILED_PRECONDITION and the counts", err)
	}
}

// A topic that was deleted and made again is refused until the operator accepts it by removing the data directory.
func TestTopicRecreated(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 2)
	cfg := worked(st)
	admin := kadm.NewClient(st.raw)
	all := []string{st.group.CommandTopic(""), st.group.JournalTopic(""), st.group.SnapshotTopic(""), st.group.DeadLetterTopic("")}
	if _, err := admin.DeleteTopics(st.within(), all...); err != nil {
		t.Fatal(err)
	}
	st.until("the topics are gone", func() bool {
		topics, err := admin.ListTopics(t.Context())
		return err == nil && !topics.Has(all[0]) && !topics.Has(all[1])
	})
	made, err := kafka.OpenAdmin(st.within(), kafka.Config{Brokers: st.brokers})
	if err != nil {
		t.Fatal(err)
	}
	defer made.Close()
	if _, err := made.EnsureGroup(st.within(), st.group, true); err != nil {
		t.Fatal(err)
	}
	refused(st, cfg, st.group.JournalTopic(""), "deleted and created again", "removing the data directory")
	cfg.DataDir = t.TempDir()
	if _, err := admin.DeleteGroups(st.within(), st.group.Name()); err != nil {
		t.Fatal(err)
	}
	s := start(t, cfg, st.owner(nil))
	got, err := st.deposit.Call(st.within(), s.Client(), "acc-1", deposit{Amount: 2})
	if err != nil || got.Balance != 2 {
		t.Errorf("after it was accepted: %+v, %v; want a history that begins anew", got, err)
	}
}
