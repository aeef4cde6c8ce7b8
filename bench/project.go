package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/service"
)

// projectionName is that of every projection measured.
const projectionName = "rows"

// keys names the aggregates of a journal that is projected, in random order, so that rows are not written in the order of their keys.
func keys(seed uint64, n int) []string {
	all := accounts(n)
	rand.New(rand.NewPCG(seed, 3)).Shuffle(n, func(a, b int) { all[a], all[b] = all[b], all[a] })
	return all
}

// projected runs a service with nothing but a projection until it has applied the n events of a journal. The time runs from the first shard held until
// all is committed. look sees the service before it ends.
func (c *cluster) projected(ctx context.Context, at *stage, n int, part service.Part, look func(*owner) error) (took time.Duration, err error) {
	ends, err := c.ends(ctx, at.journal())
	if err != nil {
		return 0, err
	}
	o, err := c.serve(ctx, at, func(o *owner) bool { return len(o.Projections()) > 0 }, part)
	if err != nil {
		return 0, err
	}
	defer func() {
		if ending := o.end(); err == nil {
			err = ending
		}
	}()
	for _, end := range ends {
		if err := o.AwaitView(ctx, projectionName, 0, end); err != nil {
			return 0, err
		}
	}
	took = time.Since(o.assigned)
	m, err := o.gather()
	if err != nil {
		return 0, err
	}
	if applied := m.sum("muster_projection_events_total", ""); applied != float64(n) {
		return 0, fmt.Errorf("%d events lie in the journal, %v were applied", n, applied)
	}
	if look != nil {
		err = look(o)
	}
	return took, err
}

// ends gives the last position of each partition of a topic that has something.
func (c *cluster) ends(ctx context.Context, topic string) ([]muster.Position, error) {
	listed, err := c.admin.ListEndOffsets(ctx, topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, err
	}
	var all []muster.Position
	for p := range int32(partitions) {
		if end, is := listed.Lookup(topic, p); is && end.Offset > 0 {
			all = append(all, muster.Position{Topic: topic, Partition: p, Offset: end.Offset - 1})
		}
	}
	return all, nil
}

// fetchRaw is a read-committed fetch of a journal and nothing else, in events per second.
func (c *cluster) fetchRaw(ctx context.Context, at *stage, n int) (float64, error) {
	took, err := c.readRaw(ctx, at, n, func(*kgo.Record) error { return nil })
	if err != nil {
		return 0, fmt.Errorf("bare fetch: %w", err)
	}
	return rate(n, took), nil
}
