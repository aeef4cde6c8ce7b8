package history

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// idHeader is the record header with a command's id, as docs/formats.md says. It is read without the toolkit's own decoder.
const idHeader = "ce_id"

// ReadCommands tells where the command topic of a group has each id, up to its end at the time of the call.
func ReadCommands(ctx context.Context, connection kafka.Config, group *muster.Group) (map[string][]muster.Position, error) {
	topic := group.CommandTopic(connection.Prefix)
	found := map[string][]muster.Position{}
	err := Records(ctx, connection, []string{topic}, func(r *kgo.Record) {
		for _, h := range r.Headers {
			if h.Key == idHeader {
				found[string(h.Value)] = append(found[string(h.Value)], muster.Position{Topic: topic, Partition: r.Partition, Offset: r.Offset})
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("dump of the commands: %w", err)
	}
	return found, nil
}

// ReadConsumed gives what a group has committed of its command topic, and how many commands are not consumed, those that wait among them.
func ReadConsumed(ctx context.Context, admin *kadm.Client, prefix string, group *muster.Group) (all []muster.Progress, lag int64, err error) {
	topic := group.CommandTopic(prefix)
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return nil, 0, err
	}
	committed, err := admin.FetchOffsets(ctx, group.Name())
	if err != nil {
		return nil, 0, err
	}
	for p := range group.Partitions() {
		end, known := ends.Lookup(topic, p)
		if !known || end.Err != nil {
			return nil, 0, fmt.Errorf("end of %s[%d]: %w", topic, p, end.Err)
		}
		at, known := committed.Lookup(topic, p)
		if !known {
			lag += end.Offset
			continue
		}
		progress, err := kafka.DecodeProgress(p, at.At, at.Metadata)
		if err != nil {
			return nil, 0, err
		}
		all = append(all, progress)
		lag += end.Offset - max(progress.Next, 0) + int64(len(progress.Waiting))
	}
	return all, lag, nil
}
