package embedded_test

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster/embedded"
)

// A program that needs nothing but Go: broker, topic, one record there and back.
func ExampleStart() {
	ctx := context.Background()
	broker, err := embedded.Start(ctx, embedded.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer broker.Close()

	client, err := kgo.NewClient(
		kgo.SeedBrokers(broker.Brokers()...),
		kgo.ConsumeTopics("greetings"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	if _, err := kadm.NewClient(client).CreateTopic(ctx, 1, -1, nil, "greetings"); err != nil {
		fmt.Println(err)
		return
	}
	if err := client.ProduceSync(ctx, &kgo.Record{Topic: "greetings", Value: []byte("hello")}).FirstErr(); err != nil {
		fmt.Println(err)
		return
	}
	client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
		fmt.Printf("%s at offset %d\n", r.Value, r.Offset)
	})
	// Output: hello at offset 0
}
