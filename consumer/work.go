package consumer

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// Work is what one Poll handed out: commands of one lane, in log order per partition, each partition's in one stretch. The partitions are
// in no other Work until Done.
type Work struct {
	// Commands are decoded, faulty ones too: their Fault says what is wrong, and their offset has to be committed like any other.
	Commands []muster.Command

	consumer *Consumer
	records  []*kgo.Record
	faults   map[int]*muster.Error // place in Commands -> why a batch could not be read
	shares   []share
	done     bool // guarded by consumer.mu
}

// share is one partition's stretch: Commands[first : first+count].
type share struct {
	part         *part
	first, count int
	cursor       reader // used while the share grows, under consumer.mu
}

// PollBacklog is [Consumer.Poll] for a second one that works on the lane: it waits until there is so much that a whole batch can be handed
// out while another one is in hand. So it changes nothing where commands come one by one.
func (c *Consumer) PollBacklog(ctx context.Context, lane int) (*Work, error) {
	return c.poll(ctx, lane, c.config.batchRecords(), c.second)
}

// Poll waits until a command of the lane can be handed out, then gives everything that has arrived up to the bounds of the configuration.
// What does not fit is left in fair shares, so that a partition with a backlog does not hold up the others. The error is that of ctx, or
// [muster.ErrShuttingDown] after Run has ended.
func (c *Consumer) Poll(ctx context.Context, lane int) (*Work, error) {
	return c.poll(ctx, lane, 1, c.wake)
}

func (c *Consumer) poll(ctx context.Context, lane, least int, wake []chan struct{}) (*Work, error) {
	if lane < 0 || lane >= len(c.wake) {
		return nil, fmt.Errorf("consumer: there is no lane %d; lanes are 0 to %d", lane, len(c.wake)-1)
	}
	for {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		if w := c.handOut(lane, least); w != nil {
			w.decode()
			return w, nil
		}
		select {
		case <-wake[lane]:
		case <-ctx.Done():
		case <-c.ended:
			return nil, fmt.Errorf("consumer of group %q has ended: %w", c.config.Group.Name(), muster.ErrShuttingDown)
		}
	}
}

// rouse tells whoever polls a lane that there may be something.
func (c *Consumer) rouse(lane int) {
	signal(c.wake[lane])
	signal(c.second[lane])
}

// handOut takes records for one Work, or gives nil when there are none.
func (c *Consumer) handOut(lane, least int) *Work {
	c.mu.Lock()
	defer c.mu.Unlock()
	ready := c.readyLocked(lane)
	if len(ready) == 0 || waiting(ready) < least {
		return nil
	}
	// Of a backlog, half of the partitions suffice: the others are for who polls the lane while this Work is in hand.
	if half := (len(ready) + 1) / 2; len(ready) >= splitAbove && waiting(ready[:half]) >= c.config.batchRecords() {
		ready = ready[:half]
	}
	w := &Work{consumer: c, shares: make([]share, len(ready))}
	for i, p := range ready {
		w.shares[i] = share{part: p, cursor: p.buffer.reader()}
	}
	left := w.growLocked(c.config.batchRecords(), c.config.batchBytes())
	w.gatherLocked()
	if left {
		c.rouse(lane) // for another goroutine that polls the same lane
	}
	return w
}

// splitAbove is from how many partitions on a backlog is split: with few, sharing fairly matters more.
const splitAbove = 4

// waiting counts the records that can be handed out.
func waiting(parts []*part) int {
	n := 0
	for _, p := range parts {
		n += p.buffer.records
	}
	return n
}

// readyLocked gives the parts of a lane that have something to hand out. Who comes first changes from call to call: the last ones are the
// ones that a Work which is only begun leaves undone.
func (c *Consumer) readyLocked(lane int) []*part {
	var ready []*part
	for _, p := range c.parts {
		if p.lane == lane && p.served && !p.leaving && p.taken == 0 && p.buffer.records > 0 {
			ready = append(ready, p)
		}
	}
	if len(ready) < 2 {
		return ready
	}
	slices.SortFunc(ready, func(a, b *part) int { return int(a.partition - b.partition) })
	c.turn[lane]++
	first := c.turn[lane] % len(ready)
	return slices.Concat(ready[first:], ready[:first])
}

// growLocked sets how much each share takes: first an equal part of the bounds, then what the others have left over. A first record above
// the bound goes alone. It tells whether anything had to stay behind.
func (w *Work) growLocked(records, size int) (left bool) {
	if wireSize(w.shares[0].cursor.peek()) > size {
		w.shares[0].count = 1
		return true
	}
	equalRecords, equalSize := max(1, records/len(w.shares)), size/len(w.shares)
	for i := range w.shares {
		took, bytes := w.shares[i].take(min(records, equalRecords), equalSize)
		records, size = records-took, size-bytes
	}
	for i := range w.shares {
		took, bytes := w.shares[i].take(records, size)
		records, size = records-took, size-bytes
		left = left || w.shares[i].cursor.peek() != nil
	}
	return left
}

// take adds records to a share as long as both bounds hold.
func (s *share) take(records, size int) (took, bytes int) {
	for took < records {
		r := s.cursor.peek()
		if r == nil {
			break
		}
		n := wireSize(r)
		if bytes+n > size {
			break
		}
		took, bytes = took+1, bytes+n
		s.cursor.step()
	}
	s.count += took
	return took, bytes
}

// gatherLocked fixes the order of the commands and marks their records as taken.
func (w *Work) gatherLocked() {
	for i := range w.shares {
		s := &w.shares[i]
		s.first = len(w.records)
		s.part.taken = s.count
		for r := s.part.buffer.reader(); len(w.records) < s.first+s.count; r.step() {
			record := r.peek()
			if fault := s.part.unreadable[record]; fault != nil {
				if w.faults == nil {
					w.faults = map[int]*muster.Error{}
				}
				w.faults[len(w.records)] = fault
			}
			w.records = append(w.records, record)
		}
	}
	w.shares = slices.DeleteFunc(w.shares, func(s share) bool { return s.count == 0 })
}

// decode runs on the goroutine that polls the lane, so that lanes decode side by side.
func (w *Work) decode() {
	w.Commands = make([]muster.Command, len(w.records))
	for i, r := range w.records {
		w.Commands[i] = kafka.DecodeCommand(r, w.consumer.config.Group)
		if fault := w.faults[i]; fault != nil {
			w.Commands[i].Fault = fault
		}
	}
	w.records = nil
}

// Done gives the Work back: the first consumed commands, in the order of Commands, are finished. The others are handed out again, before
// anything younger of their partition. For a partition that is not held any more it does nothing. The second call does nothing.
func (w *Work) Done(consumed int) {
	c := w.consumer
	c.mu.Lock()
	defer c.mu.Unlock()
	if w.done {
		return
	}
	w.done = true
	for _, s := range w.shares {
		p := s.part
		if c.parts[p.partition] != p {
			continue
		}
		finished := min(max(consumed-s.first, 0), s.count)
		p.finishLocked(finished)
		p.taken = 0
		c.fetchLocked(p)
		if p.buffer.records > 0 {
			c.rouse(p.lane)
		}
	}
}

// finishLocked forgets the n oldest records of a part.
func (p *part) finishLocked(n int) {
	if len(p.unreadable) > 0 {
		r := p.buffer.reader()
		for range n {
			delete(p.unreadable, r.peek())
			r.step()
		}
	}
	p.buffer.drop(n)
}
