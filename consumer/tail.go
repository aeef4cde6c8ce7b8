package consumer

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster/kafka"
)

const (
	probeTimeout = 5 * time.Second
	probeBytes   = 1 << 20
)

// stall is called when nothing has come for a while. Either an open transaction hides the rest, which others have to end; or there is no
// rest: compaction can take the last records of a closed segment and their markers, and then nothing ever comes that a position could move
// over. One fetch by hand tells the two apart.
func (r *journalReader) stall(ctx context.Context) error {
	if r.stalled != nil {
		r.stalled(r.next)
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	found, err := probe(ctx, r.client, r.topic, r.partition, r.next)
	if err != nil {
		r.log.WarnContext(ctx, "journal reader stalled and cannot look why; trying again", "topic", r.topic, "partition", r.partition,
			"offset", r.next, "error", err)
		return context.Cause(ctx)
	}
	r.next = skip(found, r.next, r.to)
	return nil
}

// skip moves a position over what a fetch from there has shown to be empty, up to to: no batch at all below the last stable offset, or
// batches that compaction has left without records.
func skip(found *kmsg.FetchResponseTopicPartition, next, to int64) int64 {
	if len(found.RecordBatches) == 0 {
		if found.LastStableOffset >= to {
			return to
		}
		return next
	}
	return min(max(next, pastEmpty(found.RecordBatches)), to)
}

// pastEmpty gives the offset after the leading batches without records; 0 when the first one has records or is not all there.
//
// What it reads of a record batch, version 2 (KIP-98), all big endian:
//
//	0             8          12                16        23                 27               57         61
//	+-------------+----------+- - - - - - - - -+-------+- - -+----------------+- - - - - - - -+----------+- - - -
//	| base offset | length   | leader epoch    | magic |     | offset delta   |               | records  |
//	| int64       | int32    |                 | int8  |     | of the last    |               | int32    |
func pastEmpty(batches []byte) (next int64) {
	const header = 61
	for len(batches) >= header && batches[16] == 2 && binary.BigEndian.Uint32(batches[57:]) == 0 {
		next = int64(binary.BigEndian.Uint64(batches)) + int64(binary.BigEndian.Uint32(batches[23:])) + 1
		length := 12 + int64(binary.BigEndian.Uint32(batches[8:]))
		if length < header || length > int64(len(batches)) {
			break
		}
		batches = batches[length:]
	}
	return next
}

// mayRead tells that a topic may not be read. Who may write to it is told where it ends all the same, so that an empty one would pass for read, and of
// another one would be waited for in vain. Other faults are for those who read to tell.
func mayRead(ctx context.Context, config kafka.Config, client *kgo.Client, topic string) error {
	if _, err := probe(ctx, client, topic, 0, 0); errors.Is(err, kerr.TopicAuthorizationFailed) {
		return config.Map("read "+topic, err, kafka.On(kafka.TopicResource, topic, "Read")...)
	}
	return nil
}

// probe fetches once from a position, without waiting.
func probe(ctx context.Context, client *kgo.Client, name string, partition int32, next int64) (*kmsg.FetchResponseTopicPartition, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	topics, err := kadm.NewClient(client).ListTopics(ctx, name)
	if err != nil {
		return nil, err
	}
	topic := topics[name]
	if topic.Err != nil {
		return nil, topic.Err
	}
	request := kmsg.NewPtrFetchRequest()
	request.MinBytes, request.MaxBytes, request.IsolationLevel, request.SessionEpoch = 1, probeBytes, 1, -1
	t, p := kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
	t.Topic, t.TopicID = name, topic.ID
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = partition, next, probeBytes
	t.Partitions = append(t.Partitions, p)
	request.Topics = append(request.Topics, t)

	response, err := client.Broker(int(topic.Partitions[partition].Leader)).RetriableRequest(ctx, request)
	if err != nil {
		return nil, err
	}
	fetched := response.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(fetched.ErrorCode); err != nil {
		return nil, err
	}
	for i := range fetched.Topics {
		for j := range fetched.Topics[i].Partitions {
			found := &fetched.Topics[i].Partitions[j]
			if found.Partition == partition {
				return found, kerr.ErrorForCode(found.ErrorCode)
			}
		}
	}
	return nil, fmt.Errorf("the leader of %s[%d] did not answer for it", name, partition)
}
