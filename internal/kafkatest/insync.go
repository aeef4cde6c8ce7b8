package kafkatest

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AwaitInSync returns when every partition of every topic has a leader and all its replicas in sync: then the loss of one more broker loses
// nothing. It is bounded by ctx and by two minutes, and every broker must run.
func (c *Cluster) AwaitInSync(ctx context.Context) error {
	for _, b := range c.brokers {
		if err := b.poll(ctx, "see all replicas in sync", inSync); err != nil {
			return err
		}
	}
	return nil
}

// inSync is an error that names the first partition that is not, as one broker sees it. Each broker is asked: what one has not heard of yet is no
// more decided for those who ask it.
func inSync(ctx context.Context, client *kgo.Client) error {
	request := kmsg.NewPtrMetadataRequest()
	request.Topics = nil // all, internal ones too
	response, err := request.RequestWith(ctx, client.SeedBrokers()[0])
	if err != nil {
		return err
	}
	for _, topic := range response.Topics {
		for _, p := range topic.Partitions {
			if p.Leader < 0 || len(p.ISR) < len(p.Replicas) {
				return fmt.Errorf("%s[%d]: leader %d, in sync %v of %v", *topic.Topic, p.Partition, p.Leader, p.ISR, p.Replicas)
			}
		}
	}
	return nil
}

// PreferLeaders gives each partition back to the broker that is to lead it, the first of its replicas. A broker that was away leads nothing until then,
// which a cluster by itself sees to every five minutes.
func (c *Cluster) PreferLeaders(ctx context.Context) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Addresses()...))
	if err != nil {
		return fmt.Errorf("kafkatest: %w", err)
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).ElectLeaders(ctx, kadm.ElectPreferredReplica, nil); err != nil {
		return fmt.Errorf("kafkatest: elect the preferred leaders: %w", err)
	}
	return nil
}

// Led gives the ids of the partitions of a topic by the broker that leads them now, as the first broker that answers says.
func (c *Cluster) Led(ctx context.Context, topic string) (map[int32][]int32, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Addresses()...))
	if err != nil {
		return nil, fmt.Errorf("kafkatest: %w", err)
	}
	defer client.Close()
	request := kmsg.NewPtrMetadataRequest()
	asked := kmsg.NewMetadataRequestTopic()
	asked.Topic = kmsg.StringPtr(topic)
	request.Topics = append(request.Topics, asked)
	response, err := request.RequestWith(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("kafkatest: leaders of %s: %w", topic, err)
	}
	led := map[int32][]int32{}
	for _, t := range response.Topics {
		for _, p := range t.Partitions {
			led[p.Leader] = append(led[p.Leader], p.Partition)
		}
	}
	return led, nil
}
