package history

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster/kafka"
)

// Records reads topics from their starts to where they end at the time of the call, with what transactions that were aborted have left and the marks
// of their ends. Without topics it reads all there are.
func Records(ctx context.Context, connection kafka.Config, topics []string, each func(*kgo.Record)) error {
	client, err := connection.Client(kgo.KeepControlRecords())
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	starts, err := admin.ListStartOffsets(ctx, topics...)
	if err != nil {
		return err
	}
	ends, err := admin.ListEndOffsets(ctx, topics...)
	if err != nil {
		return err
	}
	type place struct {
		topic     string
		partition int32
	}
	left, from := map[place]int64{}, map[string]map[int32]kgo.Offset{}
	if err := errors.Join(starts.Error(), ends.Error()); err != nil {
		return err
	}
	ends.Each(func(o kadm.ListedOffset) {
		if start, _ := starts.Lookup(o.Topic, o.Partition); start.Offset >= o.Offset {
			return
		}
		left[place{o.Topic, o.Partition}] = o.Offset
		if from[o.Topic] == nil {
			from[o.Topic] = map[int32]kgo.Offset{}
		}
		from[o.Topic][o.Partition] = kgo.NewOffset().AtStart()
	})
	client.AddConsumePartitions(from)
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			at := place{r.Topic, r.Partition}
			if r.Offset+1 >= left[at] {
				delete(left, at)
			}
			each(r)
		})
	}
	return nil
}
