package consumer_test

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/kafka"
)

// exampleCluster is an embedded broker with the topics of a group of one partition.
func exampleCluster(ctx context.Context) (kafka.Config, *muster.Group, *kgo.Client, func()) {
	broker, err := embedded.Start(ctx, embedded.Config{})
	must(err)
	config := kafka.Config{Brokers: broker.Brokers()}
	client, err := config.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	must(err)
	group := muster.NewGroup("orders", muster.Partitions(1))
	_, err = kafka.EnsureGroup(ctx, client, group, "", true)
	must(err)
	_, err = kafka.EnsureReplies(ctx, client, "", "shop", 1, true)
	must(err)
	return config, group, client, func() { client.Close(); broker.Close() }
}

// must keeps the examples short; a service returns its errors.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// The loop of an owner, without the deciding and committing.
func ExampleConsumer() {
	ctx, cancel := context.WithCancel(context.Background())
	config, group, client, end := exampleCluster(context.Background())
	defer end()
	command := &kgo.Record{
		Topic: group.CommandTopic(""), Key: []byte("order-1"), Value: []byte(`{}`),
		Headers: []kgo.RecordHeader{{Key: "ce_type", Value: []byte("orders.Place")}},
	}
	must(client.ProduceSync(ctx, command).FirstErr())

	c, err := consumer.Open(ctx, consumer.Config{Kafka: config, Group: group, Instance: "orders-0"})
	must(err)
	defer c.Close()
	ran := make(chan error)
	go func() { ran <- c.Run(ctx) }()

	change := <-c.Changes()
	for _, p := range change.Assigned {
		change.Serve(p) // after its state has been recovered from the journal
	}
	work, err := c.Poll(ctx, 0)
	must(err)
	for _, command := range work.Commands {
		fmt.Println(command.Type, "for", command.AggregateID, "at", command.Position())
	}
	if claim, err := c.Claim([]int32{0}); err == nil {
		fmt.Println("to be committed by", claim.Instance, "of", claim.Group)
	}
	work.Done(len(work.Commands))
	cancel()
	fmt.Println("ended:", <-ran)
	// Output:
	// orders.Place for order-1 at orders.commands[0]@0
	// to be committed by orders-0 of orders
	// ended: <nil>
}

func ExampleReadJournal() {
	ctx := context.Background()
	config, group, client, end := exampleCluster(ctx)
	defer end()
	event := &muster.Event{
		Meta: muster.Meta{
			ID: "c1/0", Type: "orders.Placed", Group: "orders", AggregateID: "order-1", Revision: 1, CorrelationID: "c1", CausationID: "c1",
			Time: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		},
		Count: 1,
	}
	must(client.ProduceSync(ctx, kafka.EncodeEvent(event, group.JournalTopic(""))).FirstErr())

	journal := consumer.JournalConfig{Kafka: config, Group: group}
	ends, err := consumer.EndOffsets(ctx, journal, []int32{0})
	must(err)
	next, err := consumer.ReadJournal(ctx, journal, 0, 0, ends[0], func(events []muster.Event) error {
		for _, e := range events {
			fmt.Println(e.Type, e.AggregateID, e.Revision)
		}
		return nil
	}, nil)
	fmt.Println("next:", next, err)
	// Output:
	// orders.Placed order-1 1
	// next: 1 <nil>
}

func ExampleOpenReplies() {
	ctx, cancel := context.WithCancel(context.Background())
	config, _, client, end := exampleCluster(context.Background())
	defer end()
	delivered := make(chan *muster.Outcome, 1)
	reader, err := consumer.OpenReplies(ctx, consumer.RepliesConfig{
		Kafka: config, Service: "shop", Partitions: 1, Deliver: func(o *muster.Outcome) { delivered <- o },
	})
	must(err)
	defer reader.Close()
	ran := make(chan error)
	go func() { ran <- reader.Run(ctx) }()

	reply := &muster.Reply{To: muster.ReplyTo{Topic: "replies.shop"}, CommandID: "c1", Outcome: &muster.Outcome{Revision: 7}}
	record, err := kafka.EncodeReply(reply, "")
	must(err)
	must(client.ProduceSync(ctx, record).FirstErr())
	outcome := <-delivered
	fmt.Println(outcome.CommandID, outcome.Code, outcome.Revision)
	cancel()
	fmt.Println("ended:", <-ran)
	// Output:
	// c1 OK 7
	// ended: <nil>
}
