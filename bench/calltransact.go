package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// transactor makes the bare loop beside the calls do what exactly-once needs: an event for each request and the consumed offsets are one
// transaction, and answers follow its commit. It uses as many transactional ids in turn as the engine does, because the next transaction of one
// id waits for the markers of the last one. There is no state, no dedup, and no consumer group whose generation would be checked.
//
//	requests ──▶ produce events ──▶ TxnOffsetCommit ──▶ EndTxn ──▶ answers
type transactor struct {
	clients []*kgo.Client
	turn    int
	at      *stage
	event   *kgo.Record // whose headers all events have

	commands kadm.TopicID // of the command topic
}

// turns is how many transactional ids the engine's lanes have by default.
const turns = 4

func (c *cluster) transactor(ctx context.Context, at *stage) (*transactor, error) {
	topics, err := c.admin.ListTopics(ctx, at.commands())
	if err == nil {
		err = topics.Error()
	}
	if err != nil {
		return nil, err
	}
	e := event(at, account(1), 1, 1, time.Unix(0, 0).UTC())
	result := sampleReply(at).Value
	e.Answer = (&muster.Outcome{ContentType: muster.ContentProtobuf, Payload: result}).Encode(nil)
	t := &transactor{at: at, commands: topics[at.commands()].ID, event: kafka.EncodeEvent(&e, at.journal())}
	for n := range turns {
		client, err := c.writer(
			kgo.TransactionalID(fmt.Sprintf("%s/bare/%d", at.name, n)), kgo.ManualFlushing(),
			kgo.MetadataMinAge(10*time.Millisecond), kgo.ConcurrentTransactionsBackoff(10*time.Millisecond),
		)
		if err != nil {
			t.close()
			return nil, err
		}
		t.clients = append(t.clients, client)
	}
	return t, nil
}

func (t *transactor) close() {
	for _, client := range t.clients {
		client.Close()
	}
}

// commit writes an event for each request and moves the offsets behind them.
func (t *transactor) commit(ctx context.Context, requests []*kgo.Record) error {
	client := t.clients[t.turn]
	t.turn = (t.turn + 1) % len(t.clients)
	id, epoch, err := client.ProducerID(ctx)
	if err != nil {
		return fmt.Errorf("producer id: %w", err)
	}
	if err := client.BeginTransaction(); err != nil {
		return err
	}
	var fault error
	next := map[int32]int64{}
	for _, in := range requests {
		client.Produce(ctx, &kgo.Record{
			Topic: t.at.journal(), Partition: in.Partition, Key: eventKey(in), Value: in.Value, Headers: t.event.Headers,
		}, func(_ *kgo.Record, err error) { fault = errors.Join(fault, err) })
		next[in.Partition] = in.Offset + 1
	}
	if err := client.Flush(ctx); err != nil || fault != nil {
		return errors.Join(err, fault)
	}
	if err := known(ctx, client, t.at.journal()); err != nil {
		return err
	}
	if err := t.offsets(ctx, client, id, epoch, next); err != nil {
		return fmt.Errorf("offsets: %w", err)
	}
	return client.EndTransaction(ctx, kgo.TryCommit)
}

func (t *transactor) offsets(ctx context.Context, client *kgo.Client, id int64, epoch int16, next map[int32]int64) error {
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, _ = client.OptValue(kgo.TransactionalID).(string)
	req.Group, req.ProducerID, req.ProducerEpoch, req.Generation = t.at.name+"-bare", id, epoch, -1
	topic := kmsg.NewTxnOffsetCommitRequestTopic()
	topic.Topic, topic.TopicID = t.at.commands(), t.commands
	for partition, offset := range next {
		part := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		part.Partition, part.LeaderEpoch, part.Offset = partition, -1, offset
		topic.Partitions = append(topic.Partitions, part)
	}
	req.Topics = append(req.Topics, topic)
	for {
		resp, err := req.RequestWith(ctx, client)
		if err != nil {
			return err
		}
		err = nil
		for _, topic := range resp.Topics {
			for _, part := range topic.Partitions {
				err = errors.Join(err, kerr.ErrorForCode(part.ErrorCode))
			}
		}
		if !errors.Is(err, kerr.ConcurrentTransactions) && !errors.Is(err, kerr.CoordinatorLoadInProgress) && !errors.Is(err, kerr.NotCoordinator) {
			return err
		}
	}
}
