package consumer_test

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/kafka"
)

// Everything a journal holds now, without a consumer group.
func ExampleOpenSubscriber() {
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

	reader, err := consumer.OpenSubscriber(ctx, consumer.SubscriberConfig{
		Kafka:   config,
		Reading: muster.Reading{Group: group, Start: muster.StartEarliest, UntilEnd: true},
		Deliver: func(_ context.Context, e *muster.Event, _ error) (again bool, err error) {
			fmt.Println(e.Type, e.AggregateID, e.Revision, "at", e.Position())
			return false, nil
		},
	})
	must(err)
	fmt.Println("ended:", reader.Run(ctx))
	// Output:
	// orders.Placed order-1 1 at orders.events[0]@0
	// ended: <nil>
}

// A dead letter and the mark behind it.
func ExampleReadDeadLetters() {
	ctx := context.Background()
	config, group, client, end := exampleCluster(ctx)
	defer end()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	letter := &muster.DeadLetter{
		Command: muster.Command{Meta: muster.Meta{ID: "c1", Type: "orders.Place", Group: "orders", AggregateID: "order-1", Time: at}, Payload: []byte("{}")},
		Cause:   muster.Error{Code: muster.Internal, Reason: muster.ReasonPanic, Message: "handler panicked"}, Time: at,
	}
	topic := group.DeadLetterTopic("")
	must(client.ProduceSync(ctx, kafka.EncodeDeadLetter(letter, topic)).FirstErr())
	mark := &muster.DeadLetterMark{Letter: muster.Position{Topic: topic}, Kind: muster.MarkDropped, CommandID: "c1", AggregateID: "order-1", Time: at}
	must(client.ProduceSync(ctx, kafka.EncodeMark(mark, group)).FirstErr())

	from := consumer.JournalConfig{Kafka: config, Group: group}
	ranges, err := consumer.DeadLetterRanges(ctx, from)
	must(err)
	_, err = consumer.ReadDeadLetters(ctx, from, 0, ranges[0].From, ranges[0].To, func(r consumer.DeadRecord) error {
		if r.Mark != nil {
			fmt.Println(r.At, "says that", r.Mark.Letter, "is", r.Mark.Kind)
			return nil
		}
		fmt.Println(r.At, "is", r.Letter.Command.Type, "given up for", r.Letter.Cause.Reason)
		return nil
	})
	must(err)
	// Output:
	// orders.dead[0]@0 is orders.Place given up for panic
	// orders.dead[0]@1 says that orders.dead[0]@0 is dropped
}
