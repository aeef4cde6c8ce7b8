package consumer_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
)

// What the group has committed is told with what waits, and nothing is told of a partition while a transaction with its offset is open.
func TestCommittedIsStable(t *testing.T) {
	c := start(t, 3)
	m := run(t, c.config("a"))
	m.serveAll(3)
	one := muster.Progress{Partition: 2, Next: 9, Waiting: []int64{4, 7}}
	c.commitProgress(m, []muster.Progress{one})
	want := []muster.Progress{one, {Partition: 0, Next: -1}}
	if got, err := m.Committed(within(t), []int32{2, 0}); err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v, %v; want %+v", got, err, want)
	}

	client, err := c.kafka.Client(kgo.TransactionalID(c.group.Name()), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	kafkatest.Begin(t, client, &kgo.Record{Topic: c.events(), Key: []byte("acc-1/1"), Value: []byte("x")})
	two := muster.Progress{Partition: 1, Next: 5}
	c.join(m, client, two)
	if got, err := m.Committed(within(t), []int32{1}); !errors.Is(err, kerr.UnstableOffsetCommit) {
		t.Errorf("while its first commit is pending: %+v, %v", got, err)
	}
	if err := client.EndTransaction(within(t), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the commit is told", func() bool {
		got, err := m.Committed(within(t), []int32{1})
		return err == nil && reflect.DeepEqual(got, []muster.Progress{two})
	})
}

// Nothing is told of an assignment, and so nothing is recovered, while a transaction of the former owner may still move its offset: the end
// of the journal, taken now, would not cover what that owner has yet to commit.
func TestAnAssignmentWaitsForPendingOffsets(t *testing.T) {
	c := start(t, 1)
	c.send(c.keys()[0], 0, 8)
	former := run(t, c.config("former"))
	former.serveAll(1)
	client := c.transactor("") // the id that join names
	c.begin(client, c.event(1))
	c.join(former, client, muster.Progress{Partition: 0, Next: 5})
	if err := former.Leave(within(t)); err != nil {
		t.Fatal(err)
	}
	pending := make(chan struct{}, 1)
	config := c.config("next")
	config.OnPending = func(context.Context, []int32) {
		select {
		case pending <- struct{}{}:
		default:
		}
	}
	next := run(t, config)
	for waiting := true; waiting; {
		select {
		case ch := <-next.Changes():
			if len(ch.Assigned) > 0 {
				t.Fatalf("told of %v while its offset is pending", ch.Assigned)
			}
		case <-pending:
			waiting = false
		case <-within(t).Done():
			t.Fatal("nothing was told at all")
		}
	}
	c.finish(client, kgo.TryCommit)
	next.serveAll(1)
	if work := next.poll(0); work.Commands[0].Offset != 5 {
		t.Errorf("begins at offset %d; want 5, which was pending", work.Commands[0].Offset)
	}
}

// join makes an offset part of the client's open transaction.
func (c *cluster) join(m *member, client *kgo.Client, p muster.Progress) {
	c.t.Helper()
	claim, err := m.Claim([]int32{p.Partition})
	if err != nil {
		c.t.Fatal(err)
	}
	request := kmsg.NewPtrTxnOffsetCommitRequest()
	request.TransactionalID, request.Group, request.MemberID, request.Generation, request.InstanceID = c.group.Name(), claim.Group, claim.Member, claim.Generation, &claim.Instance
	if request.ProducerID, request.ProducerEpoch, err = client.ProducerID(within(c.t)); err != nil {
		c.t.Fatal(err)
	}
	topics, err := c.adm.ListTopics(within(c.t), c.commands())
	if err != nil {
		c.t.Fatal(err)
	}
	topic, part := kmsg.NewTxnOffsetCommitRequestTopic(), kmsg.NewTxnOffsetCommitRequestTopicPartition()
	topic.Topic, topic.TopicID = c.commands(), topics[c.commands()].ID
	part.Partition = p.Partition
	part.Offset, part.Metadata = kafka.EncodeProgress(p)
	topic.Partitions = append(topic.Partitions, part)
	request.Topics = append(request.Topics, topic)
	response, err := request.RequestWith(within(c.t), client)
	if err == nil {
		err = kerr.ErrorForCode(response.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// A Work tells which of its partitions are still those it was handed out under: one that went, or went and came back, is not.
func TestHeldIsTheSameOwnership(t *testing.T) {
	c := start(t, 2)
	m := run(t, oneLane(c.config("a")))
	m.serveAll(2)
	for _, key := range c.keys() {
		c.send(key, 0, 1)
	}
	eventually(t, "both are there", func() bool { return m.Buffered() == 2 })
	w := m.poll(0)
	if held := w.Held(); !slices.Equal(held, []int32{0, 1}) || !w.Current() {
		t.Fatalf("holds %v", held)
	}
	other := run(t, c.config("b"))
	gone := m.change()
	gone.Done()
	eventually(t, "one is gone", func() bool { return len(w.Held()) == 1 })
	if held := w.Held(); len(gone.Revoked) != 1 || slices.Contains(held, gone.Revoked[0]) || w.Current() {
		t.Errorf("holds %v; %v was revoked", held, gone.Revoked)
	}
	if assigned := other.change().Assigned; !slices.Equal(assigned, gone.Revoked) {
		t.Fatalf("the other one got %v", assigned)
	}
	if err := other.Leave(within(t)); err != nil {
		t.Fatal(err)
	}
	back := m.change()
	for len(back.Assigned) == 0 {
		back = m.change()
	}
	if held := w.Held(); len(held) != 1 || !slices.Equal(back.Assigned, gone.Revoked) {
		t.Errorf("holds %v after %v has come back", held, back.Assigned)
	}
}
