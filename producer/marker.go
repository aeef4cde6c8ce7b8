package producer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// end ends open ranges of one transaction of an id as it was decided. epoch is the producer's after that transaction.
//
// The marker that the coordinator owes is written in its place (WriteTxnMarkers, KIP-664). That takes the right to ALTER the cluster; where
// it is missing, the id's next transaction is made to cover the same partitions and to end alike, see finish.
func (p *Producer) end(ctx context.Context, id string, open []kadm.DescribedProducer, epoch int16, commit bool) error {
	outcome := OutcomeAborted
	if commit {
		outcome = OutcomeCommitted
	}
	ended, err := p.mark(ctx, open, epoch, commit)
	if errors.Is(err, kerr.ClusterAuthorizationFailed) {
		if err = p.finish(ctx, id, open, commit); err == nil {
			ended = open
		}
	}
	for _, r := range ended {
		p.report(hangingOf(id, r, outcome))
	}
	if errors.Is(err, kerr.InvalidProducerEpoch) { // begun under the next epoch meanwhile, or ended; look again
		return kerr.ConcurrentTransactions
	}
	if err != nil {
		return fmt.Errorf("end a hanging transaction of %s: %w", id, err)
	}
	return nil
}

// mark writes the markers that are missing. A marker of transaction version 2 is refused by a partition in which the producer has begun its
// next transaction (KIP-1228), so it never ends another one. It returns the ranges that were ended, also beside an error.
func (p *Producer) mark(ctx context.Context, open []kadm.DescribedProducer, epoch int16, commit bool) ([]kadm.DescribedProducer, error) {
	req := kmsg.NewPtrWriteTxnMarkersRequest()
	for _, r := range open {
		marker := kmsg.NewWriteTxnMarkersRequestMarker()
		marker.ProducerID, marker.ProducerEpoch, marker.Committed, marker.TransactionVersion = r.ProducerID, epoch, commit, 2
		marker.CoordinatorEpoch = max(r.CoordinatorEpoch, 0) // the partition refuses a lower one than its last
		topic := kmsg.NewWriteTxnMarkersRequestMarkerTopic()
		topic.Topic, topic.Partitions = r.Topic, []int32{r.Partition}
		marker.Topics = append(marker.Topics, topic)
		req.Markers = append(req.Markers, marker)
	}
	var answers answers
	var ended []kadm.DescribedProducer
	var unreached error
	for _, shard := range p.admin.RequestSharded(ctx, req) {
		if shard.Err != nil {
			unreached = shard.Err
			continue
		}
		for _, marker := range shard.Resp.(*kmsg.WriteTxnMarkersResponse).Markers {
			for _, topic := range marker.Topics {
				for _, part := range topic.Partitions {
					answers.add(topic.Topic, part.Partition, part.ErrorCode)
					at := slices.IndexFunc(open, func(r kadm.DescribedProducer) bool { return r.Topic == topic.Topic && r.Partition == part.Partition })
					if part.ErrorCode == 0 && at >= 0 {
						ended = append(ended, open[at])
					}
				}
			}
		}
	}
	if unreached != nil {
		return ended, unreached
	}
	return ended, answers.verdict(len(open))
}

// errRotated is found when an id got a new producer id, so that nothing done under it reaches what the old one left.
var errRotated = errors.New("the transactional id has a new producer id; end the transaction with kafka-transactions.sh or grant ALTER on the cluster")

// finish ends open ranges without a right on the cluster. A partition takes the records of a producer for one transaction until a marker
// comes, whatever their epochs; so a next transaction of the same producer that has the partition and no records there ends it.
//
// If the process and its coordinator's patience (the transaction timeout) end between the two requests, a committed transaction is lost:
// only the marker is without that gap, and so it is tried first. Whoever holds the id is fenced and initialises it again.
func (p *Producer) finish(ctx context.Context, id string, open []kadm.DescribedProducer, commit bool) error {
	p.stale(id)
	var producer int64
	var epoch int16
	err := patiently(ctx, func() (err error) {
		producer, epoch, err = p.newEpoch(ctx, id)
		return err
	})
	if err != nil {
		return err
	}
	if slices.ContainsFunc(open, func(r kadm.DescribedProducer) bool { return r.ProducerID != producer }) {
		return errRotated
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.cfg.transactionTimeout()) // from here on it must not stop half way
	defer cancel()
	if p.ledger == nil {
		err = p.addOffsets(ctx, id, producer, epoch)
	}
	if err == nil {
		err = patiently(ctx, func() error { return p.addPartitions(ctx, id, producer, epoch, open) })
	}
	if err != nil {
		return err
	}
	ending := kmsg.NewPtrEndTxnRequest()
	ending.TransactionalID, ending.ProducerID, ending.ProducerEpoch, ending.Commit = id, producer, epoch, commit
	err = patiently(ctx, func() error {
		resp, err := ending.RequestWith(ctx, p.admin)
		if err != nil {
			return err
		}
		return kerr.ErrorForCode(resp.ErrorCode)
	})
	if err != nil {
		return err
	}
	on := kadm.TopicsSet{}
	for _, r := range open {
		on.Add(r.Topic, r.Partition)
	}
	return patiently(ctx, func() error { // the markers follow the answer
		now, err := p.openRanges(ctx, on)
		if err == nil && slices.ContainsFunc(now, func(r kadm.DescribedProducer) bool { return r.ProducerID == producer }) {
			return kerr.ConcurrentTransactions
		}
		return err
	})
}

// addOffsets makes the group's offsets part of a transaction, also where the group's topic may not be read; without pending ones that does
// nothing.
func (p *Producer) addOffsets(ctx context.Context, id string, producer int64, epoch int16) error {
	offsets := kmsg.NewPtrAddOffsetsToTxnRequest()
	offsets.TransactionalID, offsets.ProducerID, offsets.ProducerEpoch, offsets.Group = id, producer, epoch, p.transactionalGroup()
	return patiently(ctx, func() error {
		resp, err := offsets.RequestWith(ctx, p.admin)
		if err != nil {
			return err
		}
		return kerr.ErrorForCode(resp.ErrorCode)
	})
}

// stale tells the slot that holds an id here that its client has to begin anew.
func (p *Producer) stale(id string) {
	if s := p.slot(id); s != nil {
		s.stale.Store(true)
	}
}

// addPartitions makes the partitions of ranges part of a transaction without writing to them. Offsets are joined in another way.
func (p *Producer) addPartitions(ctx context.Context, id string, producer int64, epoch int16, open []kadm.DescribedProducer) error {
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = id, producer, epoch
	for _, r := range open {
		if r.Topic != offsetsTopic {
			topic := kmsg.NewAddPartitionsToTxnRequestTopic()
			topic.Topic, topic.Partitions = r.Topic, []int32{r.Partition}
			req.Topics = append(req.Topics, topic)
		}
	}
	asked := len(req.Topics)
	if asked == 0 {
		return nil
	}
	resp, err := req.RequestWith(ctx, p.admin)
	if err != nil {
		return err
	}
	var answers answers
	for _, topic := range resp.Topics {
		for _, part := range topic.Partitions {
			answers.add(topic.Topic, part.Partition, part.ErrorCode)
		}
	}
	return answers.verdict(asked)
}
