package consumer

import (
	"context"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Partitions gives the partitions of the Work, sorted.
func (w *Work) Partitions() []int32 {
	all := make([]int32, 0, len(w.shares))
	for i := range w.shares {
		all = append(all, w.shares[i].part.partition)
	}
	slices.Sort(all)
	return all
}

// Current tells whether every partition of the Work is still held by the ownership it was handed out under. Once it is false the Work must
// not be committed: another owner may have handled its commands meanwhile, even when the partition is back.
func (w *Work) Current() bool {
	return len(w.Held()) == len(w.shares)
}

// Held gives those partitions of the Work that are still held by the ownership it was handed out under, sorted.
func (w *Work) Held() []int32 {
	c := w.consumer
	c.mu.Lock()
	defer c.mu.Unlock()
	held := make([]int32, 0, len(w.shares))
	for i := range w.shares {
		if p := w.shares[i].part; c.parts[p.partition] == p {
			held = append(held, p.partition)
		}
	}
	slices.Sort(held)
	return held
}

// Hold is the opposite of [Consumer.Serve]: no further Work contains the partition until it is served again. What is in hand is not touched.
func (c *Consumer) Hold(partition int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.parts[partition]; p != nil {
		p.served = false
	}
}

// Quiet returns when no Work contains the partition, or with the error of ctx. It is for a partition on hold: nothing new is handed out then.
func (c *Consumer) Quiet(ctx context.Context, partition int32) error {
	for c.busy(partition) {
		if err := pause(ctx, time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func (c *Consumer) busy(partition int32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.parts[partition]
	return p != nil && p.busy
}

// joined tells the engine of a join that assigned nothing, with an empty [Change]: where there are more members than partitions, that is
// all there is to know. What was assigned is told by assigned, after the stable offset fetch.
func (s *session) joined(_ context.Context, _ *kgo.Client, fresh map[string][]int32) {
	if len(fresh[s.topic]) == 0 {
		s.changes.add(Change{})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, partition := range fresh[s.topic] {
		if s.parts[partition] == nil {
			s.hidden[partition] = true
		}
	}
}
