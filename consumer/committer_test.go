package consumer_test

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// commitAs commits offsets for whoever the claim names.
func (c *cluster) commitAs(ctx context.Context, claim kafka.Claim, next map[int32]int64) error {
	var all []muster.Progress
	for partition, offset := range next {
		all = append(all, muster.Progress{Partition: partition, Next: offset})
	}
	return c.commitAll(ctx, claim, all)
}

// commitAll commits progress for whoever the claim names.
func (c *cluster) commitAll(ctx context.Context, claim kafka.Claim, all []muster.Progress) error {
	name := c.commands()
	topics, err := c.adm.ListTopics(ctx, name)
	if err != nil {
		return err
	}
	request := kmsg.NewPtrOffsetCommitRequest()
	request.Group, request.MemberID, request.Generation = claim.Group, claim.Member, claim.Generation
	if claim.Instance != "" {
		request.InstanceID = &claim.Instance
	}
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic, topic.TopicID = name, topics[name].ID
	for _, progress := range all {
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition = progress.Partition
		p.Offset, p.Metadata = kafka.EncodeProgress(progress)
		topic.Partitions = append(topic.Partitions, p)
	}
	request.Topics = append(request.Topics, topic)
	response, err := request.RequestWith(ctx, c.client)
	if err != nil {
		return err
	}
	for _, t := range response.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return err
			}
		}
	}
	return nil
}
