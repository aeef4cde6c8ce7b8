package producer

import (
	"context"
	"errors"
	"math"
	"slices"
	"unicode/utf16"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// The states in which a coordinator can have a transactional id, as DescribeTransactions spells them (KIP-664).
const (
	stateOngoing        = "Ongoing"
	statePrepareCommit  = "PrepareCommit"
	statePrepareAbort   = "PrepareAbort"
	stateCompleteCommit = "CompleteCommit"
	stateCompleteAbort  = "CompleteAbort"
	stateEpochFence     = "PrepareEpochFence"
)

// decided tells whether the coordinator has nothing more to do for the id's last transaction.
func decided(state string) bool {
	return state != stateOngoing && state != statePrepareCommit && state != statePrepareAbort && state != stateEpochFence
}

// offsetsTopic is where group coordinators keep committed offsets.
const offsetsTopic = "__consumer_offsets"

// described gives what the coordinator knows of an id. An id it does not know has no state.
func (p *Producer) described(ctx context.Context, id string) (kadm.DescribedTransaction, error) {
	all, err := kadm.NewClient(p.admin).DescribeTransactions(ctx, id)
	if err != nil && len(all) == 0 {
		return kadm.DescribedTransaction{}, inShards(err)
	}
	found := all[id]
	if errors.Is(found.Err, kerr.TransactionalIDNotFound) {
		return kadm.DescribedTransaction{}, nil
	}
	return found, found.Err
}

// openRanges gives what is open in partitions. Of other topics than the journal, those that may not be read are left out.
func (p *Producer) openRanges(ctx context.Context, on kadm.TopicsSet) ([]kadm.DescribedProducer, error) {
	var open []kadm.DescribedProducer
	for topic, partitions := range on {
		described, err := kadm.NewClient(p.admin).DescribeProducers(ctx, kadm.TopicsSet{topic: partitions})
		if denied(err) && topic != p.topics.journal {
			p.blind.Do(func() {
				p.log.Warn("hanging transactions cannot be seen in a topic that may not be read; grant READ on it", "topic", topic)
			})
			continue
		}
		if err = inShards(err); errors.Is(err, kerr.UnknownTopicOrPartition) && topic != p.topics.journal {
			continue // deleted: what was open there is gone
		}
		if err != nil {
			return nil, err
		}
		var faults []error
		described.EachPartition(func(part kadm.DescribedProducersPartition) {
			faults = append(faults, part.Err)
			for _, producer := range part.ActiveProducers {
				if producer.CurrentTxnStartOffset >= 0 {
					open = append(open, producer)
				}
			}
		})
		if err := errors.Join(faults...); err != nil {
			return nil, err
		}
	}
	return open, nil
}

// holdersOf gives what the coordinators know of the producers of ranges, by producer id.
func (p *Producer) holdersOf(ctx context.Context, open []kadm.DescribedProducer) (map[int64]kadm.DescribedTransaction, error) {
	var producers []int64
	for _, r := range open {
		producers = append(producers, r.ProducerID)
	}
	listed, err := kadm.NewClient(p.admin).ListTransactions(ctx, producers, nil)
	if err != nil { // a coordinator that did not answer may know the producer
		return nil, inShards(err)
	}
	holders := map[int64]kadm.DescribedTransaction{}
	for id := range listed {
		found, err := p.described(ctx, id)
		if err != nil {
			return nil, err
		}
		holders[found.ProducerID] = found
	}
	return holders, nil
}

// everywhere is where transactions of this group's lanes write: all of its topics, and its committed offsets. Commands to other groups are
// not among it: what hangs there is ended as long as the process lives that wrote them.
func (p *Producer) everywhere(ctx context.Context) kadm.TopicsSet {
	if p.ledger != nil {
		return p.ledger
	}
	all := make([]int32, p.cfg.Group.Partitions())
	for i := range all {
		all[i] = int32(i)
	}
	on := p.placesOf(ctx, all)
	on.Add(p.topics.dead, all...)
	on.Add(p.topics.snapshots, all...)
	on.Add(p.topics.commands, all...)
	return on
}

// placesOf is where a transaction that consumed these partitions writes events and offsets.
func (p *Producer) placesOf(ctx context.Context, partitions []int32) kadm.TopicsSet {
	on := kadm.TopicsSet{}
	if len(partitions) > 0 {
		on.Add(p.topics.journal, partitions...)
	}
	if offsets, known := p.offsetsPartition(ctx); known {
		on.Add(offsetsTopic, offsets)
	}
	return on
}

// offsetsPartition is where the offsets of the consumer group lie: Java's hash of its name, by the partition count of the topic. The topic
// does not exist before the first group of the cluster does.
func (p *Producer) offsetsPartition(ctx context.Context) (int32, bool) {
	if p.ledger != nil {
		return 0, false
	}
	if known := p.offsetsCount.Load(); known == 0 {
		topics, err := kadm.NewClient(p.admin).ListTopicsWithInternal(ctx, offsetsTopic)
		if err != nil || topics[offsetsTopic].Err != nil {
			return 0, false
		}
		p.offsetsCount.Store(int32(len(topics[offsetsTopic].Partitions)))
	}
	count := p.offsetsCount.Load()
	if count == 0 {
		return 0, false
	}
	return offsetsPartition(p.transactionalGroup(), count), true // the consumer group has the same name
}

// offsetsPartition is Math.abs(group.hashCode()) % count in Java, where the absolute value of the least integer counts as 0.
func offsetsPartition(group string, count int32) int32 {
	var hash int32
	for _, c := range utf16.Encode([]rune(group)) {
		hash = 31*hash + int32(c)
	}
	switch {
	case hash == math.MinInt32:
		return 0
	case hash < 0:
		hash = -hash
	}
	return hash % count
}

// inShards gives the Kafka error inside one that tells of several brokers; so it can be judged.
func inShards(err error) error {
	shards, ok := errors.AsType[*kadm.ShardErrors](err)
	if !ok {
		return err
	}
	at := slices.IndexFunc(shards.Errs, func(s kadm.ShardError) bool { return judge(s.Err) != verdictRetry })
	return shards.Errs[max(at, 0)].Err
}

func denied(err error) bool {
	_, is := errors.AsType[*kadm.AuthError](err)
	return is
}
