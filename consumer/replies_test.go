package consumer_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/kafka"
)

// replies makes the reply topic of a service with two partitions.
func (c *cluster) replies(delivered chan<- string) consumer.RepliesConfig {
	c.t.Helper()
	if _, err := kafka.EnsureReplies(within(c.t), c.client, "", c.group.Name(), 2, true); err != nil {
		c.t.Fatal(err)
	}
	return consumer.RepliesConfig{
		Kafka: c.kafka, Service: c.group.Name(), Partition: 1, Partitions: 2,
		Deliver: func(o *muster.Outcome) { delivered <- o.CommandID },
	}
}

func (c *cluster) reply(id string, partition int32) *kgo.Record {
	c.t.Helper()
	record, err := kafka.EncodeReply(&muster.Reply{
		To: muster.ReplyTo{Topic: muster.ReplyTopic("", c.group.Name()), Partition: partition}, CommandID: id, Outcome: &muster.Outcome{},
	}, "")
	if err != nil {
		c.t.Fatal(err)
	}
	return record
}

func TestRepliesAfterOpenAreDelivered(t *testing.T) {
	c := start(t, 1)
	delivered := make(chan string, 10)
	config := c.replies(delivered)
	c.write(c.reply("before", 1))
	reader, err := consumer.OpenReplies(within(t), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(reader.Close)
	// Run starts late: the place to read from was fixed by OpenReplies.
	c.write(c.reply("first", 1), c.reply("for another instance", 0), &kgo.Record{Topic: muster.ReplyTopic("", c.group.Name()), Partition: 1, Value: []byte("x")},
		c.reply("second", 1))
	open := c.transactor("open")
	c.begin(open, &kgo.Record{Topic: muster.ReplyTopic("", c.group.Name()), Partition: 1, Value: []byte("x")}) // replies behind it are not held up
	c.write(c.reply("third", 1))

	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- reader.Run(ctx) }()
	got := []string{<-delivered, <-delivered, <-delivered}
	if want := []string{"first", "second", "third"}; !slices.Equal(got, want) {
		t.Fatalf("delivered: %v; want %v", got, want)
	}
	cancel()
	if err := <-ran; err != nil {
		t.Fatal(err)
	}
	if reader.Skipped() != 2 {
		t.Fatalf("%d records were skipped; want the 2 that are no replies", reader.Skipped())
	}
	go func() { ran <- reader.Run(t.Context()) }()
	reader.Close()
	if err := <-ran; err != nil {
		t.Fatalf("Run of a closed reader: %v", err)
	}
	reader.Close()
}

func TestOpenRepliesNamesWhatIsWrong(t *testing.T) {
	t.Parallel() // it waits most of the time
	c := start(t, 1)
	_, err := consumer.OpenReplies(within(t), consumer.RepliesConfig{})
	for _, word := range []string{"Service", "partition", "Deliver"} {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%v; want a word on %s", err, word)
		}
	}
	config := consumer.RepliesConfig{Kafka: c.kafka, Service: c.group.Name() + "-nobody", Partitions: 1, Deliver: func(*muster.Outcome) {}}
	if _, err := consumer.OpenReplies(within(t), config); muster.CodeOf(err) != muster.FailedPrecondition {
		t.Errorf("a topic that does not exist: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := consumer.OpenReplies(ended, config); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
}
