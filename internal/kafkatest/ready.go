package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	pollInterval = 50 * time.Millisecond // between two looks at a broker that does not answer yet
	probeLimit   = 5 * time.Second       // for one look
	readyLimit   = 2 * time.Minute       // for a start, when the caller's context allows more
)

// answers returns when this broker itself lists at least the given number of brokers, itself among them.
func (b *Broker) answers(ctx context.Context, brokers int) error {
	return b.poll(ctx, "list its cluster", func(ctx context.Context, client *kgo.Client) error {
		response, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, client.SeedBrokers()[0])
		if err != nil {
			return err
		}
		listed := false
		for _, other := range response.Brokers {
			listed = listed || other.NodeID == b.ID()
		}
		if !listed || len(response.Brokers) < brokers {
			return fmt.Errorf("it lists %d brokers, itself: %t", len(response.Brokers), listed)
		}
		return nil
	})
}

// coordinates returns when a coordinator for groups and one for transactions has been found, which also creates their topics: the first
// test does not pay for that.
func (b *Broker) coordinates(ctx context.Context) error {
	return b.poll(ctx, "find the coordinators", func(ctx context.Context, client *kgo.Client) error {
		admin := kadm.NewClient(client)
		return errors.Join(
			admin.FindGroupCoordinators(ctx, "kafkatest").Error(),
			admin.FindTxnCoordinators(ctx, "kafkatest").Error(),
		)
	})
}

// poll asks until the answer is no error, the context or the process ends, or the limit has passed.
func (b *Broker) poll(ctx context.Context, what string, ask func(context.Context, *kgo.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.address()), kgo.RequestRetries(0), kgo.MetadataMinAge(10*time.Millisecond))
	if err != nil {
		return fmt.Errorf("kafkatest: %w", err)
	}
	defer client.Close()

	ended := b.ended()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		probe, done := context.WithTimeout(ctx, probeLimit)
		err := ask(probe, client)
		done()
		if err == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ended:
			return fmt.Errorf("kafkatest: broker %d at %s ended before it could %s; the end of its log:\n%s", b.id, b.address(), what, b.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("kafkatest: broker %d at %s does not %s (%w), last error: %w; the end of its log:\n%s",
				b.id, b.address(), what, context.Cause(ctx), err, b.lastWords())
		}
	}
}

// Ping returns nil when one of the brokers at the addresses answers within five seconds.
func Ping(ctx context.Context, addresses []string) error {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(addresses...))
	if err != nil {
		return fmt.Errorf("kafkatest: %w", err)
	}
	defer client.Close()
	if err := client.Ping(ctx); err != nil {
		return fmt.Errorf("kafkatest: no broker answers at %s: %w; start one with make kafka, or set %s",
			strings.Join(addresses, ","), err, BrokersVariable)
	}
	return nil
}
