package consumer

import (
	"context"
	"fmt"
	"iter"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// Committed asks the group what is consumed of partitions, as a new owner would: by a stable fetch (KIP-447), which tells nothing as long as a
// transaction with offsets of them is undecided. The answers are in the order of partitions; Next is -1 where nothing was ever committed.
// An error may pass; ask again.
func (c *Consumer) Committed(ctx context.Context, partitions []int32) ([]muster.Progress, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	// By name of the partitions: a fetch of all that is committed passes over those of which the first commit is pending.
	request := kmsg.NewPtrOffsetFetchRequest()
	request.RequireStable = true
	group := kmsg.NewOffsetFetchRequestGroup()
	group.Group = c.members
	topic := kmsg.NewOffsetFetchRequestGroupTopic()
	topic.Topic, topic.Partitions = c.topic, partitions
	group.Topics = append(group.Topics, topic)
	request.Groups = append(request.Groups, group)
	response, err := request.RequestWith(ctx, c.admin)
	if err != nil {
		return nil, c.config.Kafka.Map("committed offsets of consumer group "+c.members, err, c.groupRight()...)
	}
	found := make(map[int32]muster.Progress, len(partitions))
	for p, err := range standings(response) {
		if err != nil {
			return nil, c.config.Kafka.Map("committed offsets of consumer group "+c.members, err, c.groupRight()...)
		}
		if p.err != nil {
			return nil, fmt.Errorf("committed offset of %s[%d]: %w", c.topic, p.partition, p.err)
		}
		// Metadata of somebody else means an offset of somebody else; it holds as it is.
		found[p.partition], _ = kafka.DecodeProgress(p.partition, p.offset, p.metadata)
	}
	all := make([]muster.Progress, 0, len(partitions))
	for _, partition := range partitions {
		progress, answered := found[partition]
		if !answered {
			return nil, fmt.Errorf("committed offset of %s[%d]: the coordinator did not answer for it: %w", c.topic, partition, kerr.UnknownServerError)
		}
		all = append(all, progress)
	}
	return all, nil
}

// standingOf is what a coordinator said of one partition; without an err, offset is -1 where nothing was ever committed.
type standingOf struct {
	partition int32
	offset    int64
	metadata  string
	err       error
}

// standings walks what coordinators have said of partitions. The error is their refusal to say anything of a group.
func standings(response *kmsg.OffsetFetchResponse) iter.Seq2[standingOf, error] {
	return func(yield func(standingOf, error) bool) {
		for _, group := range response.Groups {
			if err := kerr.ErrorForCode(group.ErrorCode); err != nil && !yield(standingOf{}, err) {
				return
			}
			for _, topic := range group.Topics {
				for _, p := range topic.Partitions {
					one := standingOf{partition: p.Partition, offset: p.Offset, err: kerr.ErrorForCode(p.ErrorCode)}
					if p.Metadata != nil {
						one.metadata = *p.Metadata
					}
					if !yield(one, nil) {
						return
					}
				}
			}
		}
	}
}
