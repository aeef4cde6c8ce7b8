package kafka_test

import (
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
)

// What stands here runs against the in-process broker and, with MUSTER_BROKERS set, against the cluster named there.

// shared gives a client of the suite's brokers, a prefix of the test's own, and sees to it that its topics go with it.
func shared(t *testing.T) (config kafka.Config, client *kgo.Client, adm *kadm.Client) {
	t.Helper()
	config = kafka.Config{Brokers: kafkatest.Brokers(t), Prefix: kafkatest.UniqueName(t, "kafka") + "."}
	client, err := config.Client()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	adm = kadm.NewClient(client)
	t.Cleanup(func() {
		topics := []string{
			accounts.CommandTopic(config.Prefix), accounts.JournalTopic(config.Prefix), accounts.SnapshotTopic(config.Prefix),
			accounts.DeadLetterTopic(config.Prefix), muster.ReplyTopic(config.Prefix, "web"),
		}
		ctx, cancel := contextOfCleanup(t)
		defer cancel()
		answers, err := adm.DeleteTopics(ctx, topics...)
		if err != nil {
			t.Error(err)
		}
		for _, answer := range answers {
			if answer.Err != nil && !errors.Is(answer.Err, kerr.UnknownTopicOrPartition) {
				t.Errorf("%s: %v", answer.Topic, answer.Err)
			}
		}
	})
	return config, client, adm
}

func TestLifeOfTopics(t *testing.T) {
	ctx := within(t)
	config, _, adm := shared(t)
	admin, err := kafka.OpenAdmin(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if err := admin.CheckTransactions(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.EnsureGroup(ctx, accounts, false); muster.ReasonOf(err) != kafka.ReasonMissingTopic {
		t.Fatalf("nothing is there yet: %v", err)
	}
	before, err := admin.EnsureGroup(ctx, accounts, true)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := admin.EnsureReplies(ctx, "web", 2, true); err != nil || n != 2 {
		t.Fatalf("%d, %v", n, err)
	}
	journal := accounts.JournalTopic(config.Prefix)

	alter(t, adm, journal, "cleanup.policy", "delete")
	eventually(t, "the wrong policy is refused", func() bool {
		_, err := admin.EnsureGroup(ctx, accounts, true)
		return muster.ReasonOf(err) == kafka.ReasonCleanupPolicy
	})
	alter(t, adm, journal, "cleanup.policy", "compact")
	eventually(t, "the mended policy is accepted", func() bool {
		_, err := admin.EnsureGroup(ctx, accounts, true)
		return err == nil
	})

	if _, err := adm.DeleteTopic(ctx, journal); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the topic is made again", func() bool {
		after, err := admin.EnsureGroup(ctx, accounts, true)
		return err == nil && muster.ReasonOf(after.CheckSame(journal, before[journal])) == kafka.ReasonRecreated
	})

	if _, err := adm.UpdatePartitions(ctx, 13, accounts.CommandTopic(config.Prefix)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "added partitions are refused", func() bool {
		_, err := admin.EnsureGroup(ctx, accounts, true)
		return muster.ReasonOf(err) == kafka.ReasonPartitionCount
	})
}

// eventually waits for what a cluster takes a moment to tell all its brokers.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx := within(t)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("never: %s", what)
		}
	}
}

// Null and empty differ in a compacted topic, so they must come back from a broker as they were sent.
func TestRecordsSurviveABroker(t *testing.T) {
	ctx := within(t)
	config, client, _ := shared(t)
	if _, err := kafka.EnsureGroup(ctx, client, accounts, config.Prefix, true); err != nil {
		t.Fatal(err)
	}
	topic := accounts.CommandTopic(config.Prefix)
	command := fullCommand()
	command.Payload = []byte{}
	sent := []*kgo.Record{
		kafka.EncodeCommand(command, topic, home),
		{Topic: topic, Partition: home, Key: []byte("acc-1"), Headers: []kgo.RecordHeader{{Key: "ce_type", Value: []byte("x")}}},
		{Topic: topic, Partition: home, Key: []byte("acc-1"), Value: []byte("1"), Headers: []kgo.RecordHeader{{Key: "ce_type"}}},
	}
	producer, err := config.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	if err := producer.ProduceSync(ctx, sent...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	consumer, err := config.Client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {home: kgo.NewOffset().AtStart()}}))
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	var got []muster.Command
	for len(got) < len(sent) {
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) { got = append(got, kafka.DecodeCommand(r, accounts)) })
	}
	if got[0].Fault != nil || got[0].Payload == nil || len(got[0].Payload) != 0 || got[0].ID != command.ID {
		t.Errorf("an empty payload came back as %v, fault %v", got[0].Payload, got[0].Fault)
	}
	if got[1].Fault == nil || got[1].Fault.Reason != muster.ReasonNullValue || got[1].ID != "@9/1" {
		t.Errorf("a null value: fault %v, id %s", got[1].Fault, got[1].ID)
	}
	if got[2].Fault == nil || got[2].Fault.Reason != muster.ReasonBadType {
		t.Errorf("a null ce_type: fault %v", got[2].Fault)
	}
}

// The largest dead letter there can be, and the largest event, must be taken by a broker with its default limits.
func TestLargestRecordsFit(t *testing.T) {
	ctx := within(t)
	config, client, _ := shared(t)
	if _, err := kafka.EnsureGroup(ctx, client, accounts, config.Prefix, true); err != nil {
		t.Fatal(err)
	}
	event := fullEvent()
	event.Payload, event.Answer = make([]byte, muster.MaxPayload), make([]byte, muster.MaxStoredAnswer)
	event.Headers = nil
	for range muster.MaxHeaders {
		event.Headers = append(event.Headers, muster.Header{Key: "k", Value: make([]byte, muster.MaxHeaderBytes/muster.MaxHeaders-1)})
	}
	dead := fullDeadLetter(t)
	small := kafka.EncodeDeadLetter(dead, "t")
	room := 1_048_588
	for size := room - 4096; size < room; size += 16 { // somewhere here the value no longer fits
		dead.Command.Payload = make([]byte, size)
		if r := kafka.EncodeDeadLetter(dead, "t"); len(r.Value) == 0 {
			dead.Command.Payload = make([]byte, size-16)
			break
		}
	}
	largest := kafka.EncodeDeadLetter(dead, accounts.DeadLetterTopic(config.Prefix))
	if len(largest.Value) < room-4096 || len(largest.Headers) < len(small.Headers)-4 {
		t.Fatalf("value of %d bytes, %d headers", len(largest.Value), len(largest.Headers))
	}
	producer, err := config.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	for _, r := range []*kgo.Record{kafka.EncodeEvent(event, accounts.JournalTopic(config.Prefix)), largest} {
		if err := producer.ProduceSync(ctx, r).FirstErr(); err != nil {
			t.Errorf("%s: %v", r.Topic, err)
		}
	}
}
