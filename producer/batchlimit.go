package producer

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// batchLimits reads the largest batch that each of the topics takes, in bytes. One whose settings may not be read is left out: a broker's default
// stands. A broker that has not heard of a topic yet is asked again; taking its answer for "no setting" would let a record through that the topic
// refuses, and with it the whole batch.
func batchLimits(ctx context.Context, client *kgo.Client, names ...string) (map[string]int32, error) {
	for end := time.Now().Add(madeWithin); ; {
		limits := map[string]int32{}
		configs, err := kadm.NewClient(client).DescribeTopicConfigs(ctx, names...)
		if err != nil {
			return nil, err
		}
		unknown := false
		for _, resource := range configs {
			unknown = unknown || errors.Is(resource.Err, kerr.UnknownTopicOrPartition)
			for _, config := range resource.Configs {
				if config.Key != "max.message.bytes" || config.Value == nil {
					continue
				}
				if limit, err := strconv.ParseInt(*config.Value, 10, 64); err == nil {
					limits[resource.Name] = int32(min(max(limit, minBatchLimit), maxBatchLimit))
				}
			}
		}
		if !unknown || time.Now().Add(knownPause).After(end) {
			return limits, nil
		}
		again := time.NewTimer(knownPause)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return nil, context.Cause(ctx)
		}
	}
}
