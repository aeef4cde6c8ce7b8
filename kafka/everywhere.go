package kafka

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// everywhereTime bounds the wait for brokers that learn of a topic late. What is opened next is patient with such a broker, so that one that
// is frozen costs a start this much and no more.
const everywhereTime = 3 * time.Second

// knownEverywhere returns when every broker that can be reached knows the topics and their leaders: the next question goes to any of them.
// The brokers are asked side by side.
func knownEverywhere(ctx context.Context, client *kgo.Client, specs []topicSpec) {
	brokers := client.DiscoveredBrokers()
	if len(brokers) < 2 { // the one has answered
		return
	}
	ctx, cancel := context.WithTimeout(ctx, everywhereTime)
	defer cancel()
	var all sync.WaitGroup
	for _, broker := range brokers {
		all.Go(func() {
			for pause := firstPause; !knownTo(ctx, broker, specs); pause = min(2*pause, longPause) {
				again := time.NewTimer(pause)
				select {
				case <-again.C:
				case <-ctx.Done():
					again.Stop()
					return
				}
			}
		})
	}
	all.Wait()
}

// knownTo tells whether a broker knows the topics and their leaders. One that cannot be asked is not waited for: no client can ask it either.
func knownTo(ctx context.Context, broker *kgo.Broker, specs []topicSpec) bool {
	ask := kmsg.NewPtrMetadataRequest()
	for i := range specs {
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = &specs[i].name
		ask.Topics = append(ask.Topics, topic)
	}
	answer, err := broker.Request(ctx, ask)
	if err != nil {
		return true
	}
	for _, topic := range answer.(*kmsg.MetadataResponse).Topics {
		if topic.ErrorCode != 0 || len(topic.Partitions) == 0 {
			return false
		}
		for i := range topic.Partitions {
			if topic.Partitions[i].Leader < 0 {
				return false
			}
		}
	}
	return true
}
