package producer

import (
	"context"

	"github.com/twmb/franz-go/pkg/kadm"
)

// ParseIdentity lets tests take a transactional id apart and put it together again.
func ParseIdentity(text, group string) (again, instance string, lane, slot int, ok bool) {
	id, ok := parseIdentity(text, group)
	return id.text(group), id.instance, id.lane, id.slot, ok
}

// Finish ends what an id has left open on a partition of the journal, and the offsets of its transaction, without a right on the cluster.
func (p *Producer) Finish(ctx context.Context, id string, partition int32) error {
	on := kadm.TopicsSet{}
	on.Add(p.topics.journal, partition)
	open, err := p.openRanges(ctx, on)
	if err != nil {
		return err
	}
	return p.finish(ctx, id, open, true)
}

// OffsetsPartition is the partition of __consumer_offsets that holds the offsets of a consumer group.
var OffsetsPartition = offsetsPartition
