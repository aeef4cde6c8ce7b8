package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// What a producer in another language has to do: key the record by aggregate id, let murmur2 of the key choose the partition, name the
// command in ce_type.
func ExampleDecodeCommand() {
	group := muster.NewGroup("accounts", muster.Partitions(12))
	record := &kgo.Record{
		Topic: "accounts.commands", Partition: kafka.Partition("acc-1", 12), Offset: 41,
		Key: []byte("acc-1"), Value: []byte(`{"amount":250}`),
		Headers: []kgo.RecordHeader{{Key: "ce_type", Value: []byte("bank.Deposit")}},
	}
	command := kafka.DecodeCommand(record, group)
	fmt.Println(command.Type, command.AggregateID, command.ID, command.Fault == nil)

	record.Value = nil
	fmt.Println(kafka.DecodeCommand(record, group).Fault.Reason)
	// Output:
	// bank.Deposit acc-1 @9/41 true
	// null-value
}

// The journal as any CloudEvents consumer sees it.
func ExampleEncodeEvent() {
	event := &muster.Event{
		Meta: muster.Meta{
			ID: "c-1/0", Type: "bank.Credited", Group: "accounts", AggregateID: "acc-1", Revision: 2,
			Time: time.Date(2026, 11, 3, 14, 5, 9, 0, time.UTC), CorrelationID: "c-1", CausationID: "c-1", ContentType: muster.ContentJSON, Partition: 9,
		},
		Payload: []byte(`{"amount":250}`), Count: 1, Fingerprint: 0xc0ffee,
	}
	record := kafka.EncodeEvent(event, "accounts.events")
	fmt.Printf("%s[%d] %s %s\n", record.Topic, record.Partition, record.Key, record.Value)
	for _, h := range record.Headers {
		fmt.Printf("%s: %s\n", h.Key, h.Value)
	}
	// Output:
	// accounts.events[9] acc-1/2 {"amount":250}
	// ce_specversion: 1.0
	// ce_id: c-1/0
	// ce_source: accounts
	// ce_type: bank.Credited
	// ce_subject: acc-1
	// ce_time: 2026-11-03T14:05:09.000000Z
	// content-type: application/json
	// ce_correlationid: c-1
	// ce_causationid: c-1
	// muster-format: 1
	// ce_sequence: 2
	// muster-index: 0
	// muster-count: 1
	// muster-fingerprint: 00c0ffee
}

// A service makes sure of its topics before it does anything else.
func ExampleEnsureGroup() {
	ctx := context.Background()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cluster.Close()
	client, err := kafka.Config{Brokers: cluster.ListenAddrs()}.Client()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	if err := kafka.CheckTransactions(ctx, client); err != nil {
		fmt.Println(err)
		return
	}
	topics, err := kafka.EnsureGroup(ctx, client, muster.NewGroup("accounts"), "", true)
	fmt.Println(len(topics), err)

	_, err = kafka.EnsureGroup(ctx, client, muster.NewGroup("accounts", muster.Partitions(24)), "", true)
	fmt.Println(muster.CodeOf(err), muster.ReasonOf(err))
	// Output:
	// 4 <nil>
	// FAILED_PRECONDITION partition-count
}

// What an owner commits while the command at offset 41 waits for another try and those behind it are done.
func ExampleEncodeProgress() {
	offset, metadata := kafka.EncodeProgress(muster.Progress{Next: 50, Waiting: []int64{41, 44}})
	fmt.Println(offset, *metadata)

	p, err := kafka.DecodeProgress(0, offset, *metadata)
	fmt.Println(p.Next, p.Waiting, err)
	p, err = kafka.DecodeProgress(0, 45, *metadata) // somebody has reset the offset and left the metadata
	fmt.Println(p.Next, p.Waiting, errors.Is(err, kafka.ErrForeignProgress))
	// Output:
	// 41 muster1:41:50:Ag
	// 50 [41 44] <nil>
	// 45 [] true
}
