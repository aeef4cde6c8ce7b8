package consumer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster/kafka"
)

// KeyLog reads and writes a compacted topic of keys, outside of transactions: crypto.KeyLog says what its methods promise. They may be called by any
// goroutine.
type KeyLog struct {
	config     kafka.Config
	topic      string
	id         kadm.TopicID
	partitions int32
	client     *kgo.Client
	adm        *kadm.Client

	mu   sync.Mutex         // guards what follows
	want []int64            // somebody waits until these offsets are read
	kick context.CancelFunc // ends the poll under way
}

// OpenKeyLog connects to a key topic, which kafka.EnsureKeys makes. The caller closes it.
func OpenKeyLog(ctx context.Context, config kafka.Config, topic string) (*KeyLog, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	client, err := config.Client(kgo.MetadataMinAge(metadataAge), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	if err != nil {
		return nil, err
	}
	l := &KeyLog{config: config, topic: topic, client: client, adm: kadm.NewClient(client), kick: func() {}}
	err = l.look(ctx)
	if err == nil {
		err = mayRead(ctx, config, client, topic)
	}
	if err != nil {
		client.Close()
		return nil, err
	}
	return l, nil
}

// look finds out which topic this is.
func (l *KeyLog) look(ctx context.Context) error {
	return whenSettled(ctx, func() error {
		topics, err := l.adm.ListTopics(ctx, l.topic)
		if err == nil {
			err = topics[l.topic].Err
		}
		if err != nil {
			return l.config.Map("open "+l.topic, err, kafka.On(kafka.TopicResource, l.topic, "Describe")...)
		}
		l.id, l.partitions = topics[l.topic].ID, int32(len(topics[l.topic].Partitions))
		l.want = make([]int64, l.partitions)
		return nil
	})
}

// Close ends the connection.
func (l *KeyLog) Close() { l.client.Close() }

// Partitions gives how many partitions the topic has.
func (l *KeyLog) Partitions() int32 { return l.partitions }

// Append adds a record and gives its offset, when all in-sync replicas have it. With an error it may have been added all the same.
func (l *KeyLog) Append(ctx context.Context, partition int32, key, value []byte) (int64, error) {
	record := &kgo.Record{Topic: l.topic, Partition: partition, Key: key, Value: value}
	if err := write(ctx, l.client, record); err != nil {
		return 0, l.config.Map("write to "+l.topic, err, kafka.On(kafka.TopicResource, l.topic, "Write")...)
	}
	return record.Offset, nil
}

// End gives the high watermarks.
func (l *KeyLog) End(ctx context.Context) ([]int64, error) {
	ends, err := l.adm.ListEndOffsets(ctx, l.topic)
	all := make([]int64, l.partitions)
	for p := range all {
		if err == nil {
			all[p], err = listed(ends, l.topic, int32(p))
		}
	}
	if err != nil {
		return nil, l.config.Map("end of "+l.topic, err, kafka.On(kafka.TopicResource, l.topic, "Read")...)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for p, end := range all {
		l.want[p] = max(l.want[p], end)
	}
	l.kick() // the poll under way may wait for more than there is
	return all, nil
}

// Follow calls record with every record from these offsets on, in the order of each partition, and next when everything below an offset was given,
// both in this goroutine, until ctx ends or reading fails. A topic that was deleted and made again is an error: what was read is of the one before.
func (l *KeyLog) Follow(ctx context.Context, from []int64, record func(partition int32, offset int64, key, value []byte), next func(partition int32, next int64)) error {
	starts, at := map[int32]kgo.Offset{}, make([]int64, l.partitions)
	for p := range at {
		at[p] = from[p]
		starts[int32(p)] = kgo.NewOffset().At(from[p])
		if from[p] == 0 {
			starts[int32(p)] = kgo.NewOffset().AtStart()
		}
	}
	client, err := l.config.Client(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{l.topic: starts}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),    // nothing is ever cut off from a topic of keys
		kgo.FetchIsolationLevel(kgo.ReadUncommitted()), // it is written outside of transactions
		kgo.FetchMaxWait(fetchWait),
		kgo.MetadataMinAge(metadataAge),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := l.same(ctx, client); err != nil {
		return err
	}
	for {
		fetches, late := l.poll(ctx, client, at)
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := l.fault(fetches); err != nil {
			return err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset < at[r.Partition] {
				return
			}
			at[r.Partition] = r.Offset + 1
			record(r.Partition, r.Offset, r.Key, r.Value)
		})
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			if len(p.Records) > 0 { // it is the end of the poll otherwise
				next(p.Partition, at[p.Partition])
			}
		})
		if late {
			l.pass(ctx, client, at, next)
		}
	}
}

// same fails when the topic is another one than at first. A client of its own has not heard of the one before.
func (l *KeyLog) same(ctx context.Context, client *kgo.Client) error {
	topics, err := kadm.NewClient(client).ListTopics(ctx, l.topic)
	if err == nil {
		err = topics[l.topic].Err
	}
	if err != nil {
		return l.config.Map("open "+l.topic, err, kafka.On(kafka.TopicResource, l.topic, "Describe")...)
	}
	if topics[l.topic].ID != l.id {
		return fmt.Errorf("%s was deleted and made again: its keys are gone, and with them what was sealed; stop all services, restore it, and replay the erasures", l.topic)
	}
	return nil
}

// poll waits for records; late says that there are none although somebody waits for more.
func (l *KeyLog) poll(ctx context.Context, client *kgo.Client, at []int64) (fetches kgo.Fetches, late bool) {
	patience := time.Hour
	l.mu.Lock()
	for p := range at {
		if at[p] < l.want[p] {
			patience = stallInterval
		}
	}
	waiting, kick := context.WithTimeout(ctx, patience)
	l.kick = kick
	l.mu.Unlock()
	defer kick()
	fetches = client.PollFetches(waiting)
	return fetches, errors.Is(waiting.Err(), context.DeadlineExceeded)
}

// fault gives the first error of a partition. What passes is tried again inside.
func (l *KeyLog) fault(fetches kgo.Fetches) (found error) {
	fetches.EachError(func(topic string, _ int32, err error) {
		if topic != "" && found == nil {
			found = l.config.Map("read "+l.topic, err, kafka.On(kafka.TopicResource, l.topic, "Read")...)
		}
	})
	return found
}

// pass moves over tails that compaction has left empty: nothing ever comes from there.
func (l *KeyLog) pass(ctx context.Context, client *kgo.Client, at []int64, next func(partition int32, next int64)) {
	l.mu.Lock()
	want := append([]int64(nil), l.want...)
	l.mu.Unlock()
	for p := range at {
		if at[p] >= want[p] {
			continue
		}
		found, err := probe(ctx, client, l.topic, int32(p), at[p])
		if err != nil {
			continue // the next poll says so, or it passes
		}
		if to := skip(found, at[p], want[p]); to > at[p] {
			at[p] = to
			next(int32(p), to)
		}
	}
}
