package producer

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

const (
	// brokerBatchLimit is a broker's default for max.message.bytes. The client's own limit is a little lower, and an event of the largest
	// payload with an answer on it would not fit in.
	brokerBatchLimit = 1_048_588
	// maxBatchLimit bounds what a topic may raise it to.
	maxBatchLimit = 16 << 20
	minBatchLimit = 512
)

// topics are the places a decision is written to and the one its offsets belong to.
type topics struct {
	commands   string
	commandsID [16]byte // requests of late versions name topics by id
	journal    string
	dead       string

	snapshots   string
	snapshotsID [16]byte

	limits map[string]int32 // largest batch of journal, dead and snapshots, in bytes
}

// batchLimit is the largest batch that a topic takes. With the limit known here, a record that is too large fails alone and is the culprit;
// the broker would refuse a whole batch.
func (t *topics) batchLimit(topic string) int32 {
	if limit, ok := t.limits[topic]; ok {
		return limit
	}
	return brokerBatchLimit
}

// findTopics looks the topics of the group up.
func findTopics(ctx context.Context, client *kgo.Client, group *muster.Group, prefix string) (topics, error) {
	t := topics{
		commands: group.CommandTopic(prefix), journal: group.JournalTopic(prefix), dead: group.DeadLetterTopic(prefix),
		snapshots: group.SnapshotTopic(prefix),
	}
	described, err := describeKnown(ctx, client, madeWithin, t.commands, t.journal, t.dead, t.snapshots)
	if err != nil {
		return t, err
	}
	for _, topic := range described {
		if topic.Topic != nil && *topic.Topic == t.commands {
			t.commandsID = topic.TopicID
		}
		if topic.Topic != nil && *topic.Topic == t.snapshots {
			t.snapshotsID = topic.TopicID
		}
	}
	if t.limits, err = batchLimits(ctx, client, t.journal, t.dead, t.snapshots); err != nil {
		return t, kafka.Map("describe the topics of group "+group.Name(), err)
	}
	return t, nil
}

// describeKnown asks for the metadata of topics until the broker asked knows them all, at most for so long.
func describeKnown(ctx context.Context, client *kgo.Client, within time.Duration, names ...string) (found []kmsg.MetadataResponseTopic, err error) {
	err = whenKnown(ctx, within, func() (err error) {
		found, err = describeTopics(ctx, client, names...)
		return err
	})
	return found, err
}

// describeTopics asks for the metadata of topics; each must exist.
func describeTopics(ctx context.Context, client *kgo.Client, names ...string) ([]kmsg.MetadataResponseTopic, error) {
	var found []kmsg.MetadataResponseTopic
	err := patiently(ctx, func() error {
		req := kmsg.NewPtrMetadataRequest()
		for _, name := range names {
			topic := kmsg.NewMetadataRequestTopic()
			topic.Topic = kmsg.StringPtr(name)
			req.Topics = append(req.Topics, topic)
		}
		resp, err := req.RequestWith(ctx, client)
		if err != nil {
			return err
		}
		found = resp.Topics
		for _, topic := range found {
			if topic.ErrorCode == kerr.LeaderNotAvailable.Code { // it was created a moment ago
				return kerr.LeaderNotAvailable
			}
		}
		return nil
	})
	if err != nil {
		return nil, kafka.Map(fmt.Sprintf("look up topics %q", names), err)
	}
	for _, topic := range found {
		if err := kerr.ErrorForCode(topic.ErrorCode); err != nil {
			name := ""
			if topic.Topic != nil {
				name = *topic.Topic
			}
			return nil, kafka.Map("look up topic "+name, err)
		}
	}
	return found, nil
}
