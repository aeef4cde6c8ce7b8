package producer_test

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/producer"
)

// cluster starts a broker with the topics of the accounts.
func cluster(ctx context.Context) (kafka.Config, *muster.Group, func(), error) {
	accounts := muster.NewGroup("accounts", muster.Partitions(4))
	broker, err := embedded.Start(ctx, embedded.Config{})
	if err != nil {
		return kafka.Config{}, nil, nil, err
	}
	connection := kafka.Config{Brokers: broker.Brokers()}
	client, err := connection.Client()
	if err != nil {
		return kafka.Config{}, nil, nil, err
	}
	defer client.Close()
	_, err = kafka.EnsureGroup(ctx, client, accounts, "", true)
	return connection, accounts, broker.Close, err
}

// The consumer is what claims in a service; here somebody outside of any group does.
type outsider struct{}

func (outsider) Claim([]int32) (kafka.Claim, error) {
	return kafka.Claim{Group: "accounts", Generation: -1}, nil
}

// An event and the offset of the command that caused it become visible together.
func ExampleLane_Commit() {
	ctx := context.Background()
	connection, accounts, stop, err := cluster(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()
	p, err := producer.Open(ctx, producer.Config{Kafka: connection, Group: accounts, Instance: "replica-1", Claims: outsider{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()

	partition := kafka.Partition("acc-1", accounts.Partitions())
	d := &muster.Decision{
		Group: accounts,
		Events: []muster.Event{{
			Meta: muster.Meta{
				ID: "c1/0", Type: "bank.Opened", Group: "accounts", AggregateID: "acc-1", Revision: 1, Time: time.Now(),
				CorrelationID: "c1", CausationID: "c1", ContentType: "application/json", Partition: partition,
			},
			Payload: []byte(`{"owner":"Ada"}`), Count: 1,
		}},
		Offsets: []muster.Progress{{Partition: partition, Next: 1}},
	}
	if err := p.Lane(0).Commit(ctx, d); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(d.Events[0].Position())
	// Output: accounts.events[1]@0
}

// A command is durable when SendCommands returns, and knows where it lies.
func ExampleSender_SendCommands() {
	ctx := context.Background()
	connection, accounts, stop, err := cluster(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()
	s, err := producer.OpenSender(ctx, producer.SenderConfig{Kafka: connection})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()

	cmd := &muster.Command{
		Meta: muster.Meta{
			ID: "c1", Type: "bank.Open", Group: "accounts", AggregateID: "acc-1", Time: time.Now(), CorrelationID: "c1",
			ContentType: "application/json",
		},
		Payload: []byte(`{"owner":"Ada"}`),
	}
	for _, err := range s.SendCommands(ctx, accounts, []*muster.Command{cmd}) {
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println(cmd.Position())

	other := muster.NewGroup("accounts", muster.Partitions(12))
	fmt.Println(s.SendCommands(ctx, other, []*muster.Command{cmd})[0])
	// Output:
	// accounts.commands[1]@0
	// FAILED_PRECONDITION: topic accounts.commands has 4 partitions, but the contract of group accounts says 12; set muster.Partitions(4) in the contract, or create the topic anew with 12
}
