package producer

import (
	"context"
	"errors"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// batchLimits reads the largest batch that each of the topics takes, in bytes. One whose settings may not be read is left out: a broker's default
// stands. A broker that has not heard of a topic yet is asked again; taking its answer for "no setting" would let a record through that the topic
// refuses, and with it the whole batch.
func batchLimits(ctx context.Context, client *kgo.Client, names ...string) (limits map[string]int32, err error) {
	err = whenKnown(ctx, madeWithin, func() error {
		limits = map[string]int32{}
		configs, err := kadm.NewClient(client).DescribeTopicConfigs(ctx, names...)
		if err != nil {
			return err
		}
		for _, resource := range configs {
			if errors.Is(resource.Err, kerr.UnknownTopicOrPartition) {
				return resource.Err
			}
			for _, config := range resource.Configs {
				if config.Key != "max.message.bytes" || config.Value == nil {
					continue
				}
				if limit, err := strconv.ParseInt(*config.Value, 10, 64); err == nil {
					limits[resource.Name] = int32(min(max(limit, minBatchLimit), maxBatchLimit))
				}
			}
		}
		return nil
	})
	return limits, err
}
