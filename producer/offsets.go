package producer

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/mutant"
	"github.com/seed-3eec0498/muster/kafka"
)

// noLeaderEpoch is sent where a fetched record's leader epoch is not kept.
const noLeaderEpoch = -1

// joinOffsets makes the consumed offsets part of the slot's transaction (TxnOffsetCommit). Member and generation are checked by the group
// coordinator (KIP-447), and with transaction version 2 the group joins the transaction by this request itself (KIP-890). Asking again after
// a lost answer is harmless: it is the same offset of the same transaction.
func (p *Producer) joinOffsets(ctx context.Context, s *slot, claim kafka.Claim, offsets []muster.Progress) error {
	return joinOffsetsOf(ctx, s, claim, p.topics.commands, p.topics.commandsID, offsets)
}

// joinOffsetsOf is joinOffsets for any topic: what counts for what is not consumed is the check of the claim.
func joinOffsetsOf(ctx context.Context, s *slot, claim kafka.Claim, of string, id [16]byte, offsets []muster.Progress) error {
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID = s.id
	req.Group = claim.Group
	req.ProducerID, req.ProducerEpoch = s.producer, s.epoch
	if mutant.NoGeneration {
		claim.Member, claim.Generation, claim.Instance = "", -1, ""
	}
	req.MemberID, req.Generation = claim.Member, claim.Generation
	if claim.Instance != "" {
		req.InstanceID = &claim.Instance
	}
	topic := kmsg.NewTxnOffsetCommitRequestTopic()
	topic.Topic, topic.TopicID = of, id
	for _, o := range offsets {
		part := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		part.Partition, part.LeaderEpoch = o.Partition, noLeaderEpoch
		part.Offset, part.Metadata = kafka.EncodeProgress(o)
		topic.Partitions = append(topic.Partitions, part)
	}
	req.Topics = append(req.Topics, topic)
	return patiently(ctx, func() error {
		resp, err := req.RequestWith(ctx, s.client)
		if err != nil {
			return err
		}
		var answers answers
		for _, t := range resp.Topics {
			for _, part := range t.Partitions {
				answers.add(of, part.Partition, part.ErrorCode)
			}
		}
		return answers.verdict(len(offsets))
	})
}

// moveOffsets commits offsets outside of a transaction (OffsetCommit), checked for member and generation alike.
func (p *Producer) moveOffsets(ctx context.Context, claim kafka.Claim, offsets []muster.Progress) error {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group = claim.Group
	req.MemberID, req.Generation = claim.Member, claim.Generation
	if claim.Instance != "" {
		req.InstanceID = &claim.Instance
	}
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic, topic.TopicID = p.topics.commands, p.topics.commandsID
	for _, o := range offsets {
		part := kmsg.NewOffsetCommitRequestTopicPartition()
		part.Partition, part.LeaderEpoch = o.Partition, noLeaderEpoch
		part.Offset, part.Metadata = kafka.EncodeProgress(o)
		topic.Partitions = append(topic.Partitions, part)
	}
	req.Topics = append(req.Topics, topic)
	return patiently(ctx, func() error {
		resp, err := req.RequestWith(ctx, p.admin)
		if err != nil {
			return err
		}
		var answers answers
		for _, t := range resp.Topics {
			for _, part := range t.Partitions {
				answers.add(p.topics.commands, part.Partition, part.ErrorCode)
			}
		}
		return answers.verdict(len(offsets))
	})
}

// answers collects what a coordinator said of each partition. One refusal refuses the request: offsets move together or not at all.
type answers struct {
	count int
	worst error
	means verdict
}

func (a *answers) add(topic string, partition int32, code int16) {
	a.count++
	err := kerr.ErrorForCode(code)
	if err == nil {
		return
	}
	if means := judge(err); a.worst == nil || means > a.means {
		a.worst, a.means = fmt.Errorf("%s[%d]: %w", topic, partition, err), means
	}
}

// errSilent is found when a coordinator left out a partition it was asked about.
var errSilent = fmt.Errorf("the coordinator answered for fewer partitions than it was asked about: %w", kerr.UnknownServerError)

func (a *answers) verdict(asked int) error {
	if a.worst == nil && a.count != asked {
		return errSilent
	}
	return a.worst
}
