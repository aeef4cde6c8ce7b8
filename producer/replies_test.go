package producer_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/producer"
)

func (b *bed) reply(id, topic string, partition int32) muster.Reply {
	return muster.Reply{
		To: muster.ReplyTo{Topic: topic, Partition: partition}, CommandID: id,
		Outcome: &muster.Outcome{Code: muster.OK, Revision: 3, Payload: []byte("done")}, Meta: &b.command(id, "acc-1").Meta,
	}
}

func TestRepliesReachThePartitionOfTheCaller(t *testing.T) {
	b := newBed(t, 1)
	topic := muster.ReplyTopic("", "shop")
	if err := b.cluster.CreateTopic(topic, 4, nil); err != nil {
		t.Fatal(err)
	}
	s := b.sender()
	var replies []muster.Reply
	for i := range 20 {
		replies = append(replies, b.reply(fmt.Sprint("c", i), topic, int32(i%4)))
	}
	if dropped, err := s.SendReplies(t.Context(), replies); dropped != 0 || err != nil {
		t.Fatalf("dropped %d: %v", dropped, err)
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	records := b.committed(topic)
	if len(records) != 20 {
		t.Fatalf("%d replies, want 20", len(records))
	}
	for _, r := range records {
		outcome, err := kafka.DecodeReply(r)
		if err != nil || outcome.Revision != 3 {
			t.Fatalf("%v: %v", outcome, err)
		}
		var n int
		if _, err := fmt.Sscanf(outcome.CommandID, "c%d", &n); err != nil || r.Partition != int32(n%4) {
			t.Errorf("reply to %s lies in partition %d", outcome.CommandID, r.Partition)
		}
	}
}

// An owner answers only where replies belong: not into a journal somebody names, a topic that does not exist or a partition beyond its end.
func TestUndeliverableRepliesAreCounted(t *testing.T) {
	b := newBed(t, 1)
	topic := muster.ReplyTopic("", "shop")
	if err := b.cluster.CreateTopic(topic, 4, nil); err != nil {
		t.Fatal(err)
	}
	s := b.sender()
	dropped, err := s.SendReplies(t.Context(), []muster.Reply{
		b.reply("c1", b.group.JournalTopic(""), 0),
		b.reply("c2", muster.ReplyTopic("", "unknown"), 0),
		b.reply("c3", topic, 4),
		b.reply("c4", topic, 3),
	})
	if dropped != 1 || err == nil || s.Dropped() != 1 {
		t.Errorf("dropped %d, counted %d: %v", dropped, s.Dropped(), err)
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.Undelivered() != 2 {
		t.Errorf("%d undelivered, want 2", s.Undelivered())
	}
	if n := len(b.committed(topic)); n != 1 {
		t.Errorf("%d replies arrived, want 1", n)
	}
	if n := len(b.committed(b.group.JournalTopic(""))); n != 0 {
		t.Errorf("%d records in the journal", n)
	}
	// The topic that was missing is created later; the client has not given it up for good.
	if err := b.cluster.CreateTopic(muster.ReplyTopic("", "unknown"), 1, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SendReplies(t.Context(), []muster.Reply{b.reply("c5", muster.ReplyTopic("", "unknown"), 0)}); err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(t.Context()); err != nil || s.Undelivered() != 2 {
		t.Errorf("%d undelivered: %v", s.Undelivered(), err)
	}
}

func TestRepliesNeverBlock(t *testing.T) {
	b := newBed(t, 1)
	topic := muster.ReplyTopic("", "shop")
	if err := b.cluster.CreateTopic(topic, 1, nil); err != nil {
		t.Fatal(err)
	}
	s := b.sender(func(c *producer.SenderConfig) { c.ReplyRoom = 3 })
	stuck := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1})
	var replies []muster.Reply
	for i := range 10 {
		replies = append(replies, b.reply(fmt.Sprint("c", i), topic, 0))
	}
	began := time.Now()
	dropped, err := s.SendReplies(t.Context(), replies)
	if dropped != 7 || err == nil || time.Since(began) > stall {
		t.Errorf("dropped %d in %v: %v", dropped, time.Since(began), err)
	}
	stuck.Remove()
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(b.committed(topic)); n != 3 {
		t.Errorf("%d replies arrived, want 3", n)
	}
}
