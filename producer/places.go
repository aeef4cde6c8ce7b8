package producer

import (
	"context"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
)

// places remembers the command topics that were seen to have the partition count of their contract.
type places struct {
	mu    sync.Mutex // guards known
	known map[string]int32
}

// check refuses a topic with another partition count than the contract's: a command would go to a partition whose owner does not have its
// aggregate. A topic is asked about once; one that was not found or is wrong is asked about again at the next send.
func (p *places) check(ctx context.Context, client *kgo.Client, g *muster.Group, topic string) error {
	p.mu.Lock()
	count, ok := p.known[topic]
	p.mu.Unlock()
	if !ok {
		described, err := describeKnown(ctx, client, foundWithin, topic)
		if err != nil {
			return err
		}
		count = int32(len(described[0].Partitions))
	}
	if count != g.Partitions() {
		return muster.Errorf(muster.FailedPrecondition,
			"topic %s has %d partitions, but the contract of group %s says %d; set muster.Partitions(%d) in the contract, or create the topic anew with %d",
			topic, count, g.Name(), g.Partitions(), count, g.Partitions())
	}
	if !ok {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.known == nil {
			p.known = map[string]int32{}
		}
		p.known[topic] = count
	}
	return nil
}
