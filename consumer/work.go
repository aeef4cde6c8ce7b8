package consumer

import (
	"context"
	"fmt"
	"slices"
	"time"

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
	faults   map[int]*muster.Error // place in records -> why a batch could not be read
	behind   map[int]bool          // place in records -> an older command of its aggregate waits
	shares   []share
	waits    map[int]*muster.Waiting // place in Commands -> how it waits; see Wait
	done     bool                    // guarded by consumer.mu
}

// share is one partition's stretch: Commands[first : first+len(due)+count].
type share struct {
	part         *part
	first, count int
	due          []muster.Command // that waited; they come first
	limit        int              // records at most, while it grows
	cursor       reader           // used while the share grows, under consumer.mu
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
		w, due := c.handOut(lane, least)
		if w != nil {
			w.decode()
			return w, nil
		}
		if !c.sleep(ctx, wake[lane], due) {
			return nil, fmt.Errorf("consumer of group %q has ended: %w", c.config.Group.Name(), muster.ErrShuttingDown)
		}
	}
}

// rouse tells whoever polls a lane that there may be something.
func (c *Consumer) rouse(lane int) {
	signal(c.wake[lane])
	signal(c.second[lane])
}

// handOut takes records for one Work. Where there are none, it gives the time when a waiting command is due; zero when none waits. Who wants
// more than one command gets no Work for the sake of waiting ones.
func (c *Consumer) handOut(lane, least int) (*Work, time.Time) {
	now := c.config.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	ready, due := c.readyLocked(lane, now)
	switch {
	case least > 1 && c.backlogLocked(ready) < least:
		return nil, time.Time{}
	case len(ready) == 0:
		return nil, due
	}
	more := c.config.Narrow && len(ready) > 1
	if more {
		ready = ready[:1]
	}
	// Of a backlog, half of the partitions suffice: the others are for who polls the lane while this Work is in hand.
	if half := (len(ready) + 1) / 2; len(ready) >= splitAbove && c.backlogLocked(ready[:half]) >= c.config.batchRecords() {
		ready = ready[:half]
	}
	w := &Work{consumer: c, shares: make([]share, len(ready))}
	records, size := c.config.batchRecords(), c.config.batchBytes()
	for i, p := range ready {
		waited, memory := p.later.due(now)
		w.shares[i] = share{part: p, cursor: p.buffer.reader(), due: waited, limit: c.newLocked(p)}
		records, size = records-len(waited), size-memory
	}
	left := w.growLocked(max(records, 0), max(size, 0))
	w.gatherLocked()
	if left || more {
		c.rouse(lane) // for another goroutine that polls the same lane
	}
	return w, time.Time{}
}

// splitAbove is from how many partitions on a backlog is split: with few, sharing fairly matters more.
const splitAbove = 4

// backlogLocked counts the records that can be handed out.
func (c *Consumer) backlogLocked(parts []*part) int {
	n := 0
	for _, p := range parts {
		n += c.newLocked(p)
	}
	return n
}

// readyLocked gives the parts of a lane that have something to hand out. Who comes first changes from call to call: the last ones are the
// ones that a Work which is only begun leaves undone. It gives, too, when the first waiting command of the lane is due.
func (c *Consumer) readyLocked(lane int, now time.Time) (ready []*part, due time.Time) {
	for _, p := range c.parts {
		if p.lane != lane || !p.served || p.leaving || p.busy {
			continue
		}
		next := p.later.next()
		if !next.IsZero() && !next.After(now) || c.newLocked(p) > 0 {
			ready = append(ready, p)
		}
		if !next.IsZero() && (due.IsZero() || next.Before(due)) {
			due = next
		}
	}
	if len(ready) < 2 {
		return ready, due
	}
	slices.SortFunc(ready, func(a, b *part) int { return int(a.partition - b.partition) })
	c.turn[lane]++
	first := c.turn[lane] % len(ready)
	return slices.Concat(ready[first:], ready[:first]), due
}

// growLocked sets how much each share takes: first an equal part of the bounds, then what the others have left over. A first record above
// the bound goes alone. It tells whether anything had to stay behind.
func (w *Work) growLocked(records, size int) (left bool) {
	if first := &w.shares[0]; first.limit > 0 && len(first.due) == 0 && wireSize(first.cursor.peek()) > size {
		first.count = 1
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
		left = left || w.shares[i].count < w.shares[i].limit
	}
	return left
}

// take adds records to a share as long as both bounds hold.
func (s *share) take(records, size int) (took, bytes int) {
	for took < records && s.count+took < s.limit {
		r := s.cursor.peek()
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
	commands := 0
	for i := range w.shares {
		s := &w.shares[i]
		s.first = commands
		commands += len(s.due) + s.count
		s.part.taken, s.part.busy = s.count, len(s.due)+s.count > 0
		for r, end := s.part.buffer.reader(), len(w.records)+s.count; len(w.records) < end; r.step() {
			record := r.peek()
			if s.part.later.blocks(record.Key) {
				if w.behind == nil {
					w.behind = map[int]bool{}
				}
				w.behind[len(w.records)] = true
			}
			if fault := s.part.unreadable[record]; fault != nil {
				if w.faults == nil {
					w.faults = map[int]*muster.Error{}
				}
				w.faults[len(w.records)] = fault
			}
			w.records = append(w.records, record)
		}
	}
	w.shares = slices.DeleteFunc(w.shares, func(s share) bool { return len(s.due)+s.count == 0 })
}

// decode runs on the goroutine that polls the lane, so that lanes decode side by side.
func (w *Work) decode() {
	last := &w.shares[len(w.shares)-1]
	w.Commands = make([]muster.Command, last.first+len(last.due)+last.count)
	record := 0
	for i := range w.shares {
		s := &w.shares[i]
		copy(w.Commands[s.first:], s.due)
		for at := s.first + len(s.due); at < s.first+len(s.due)+s.count; at++ {
			cmd := &w.Commands[at]
			*cmd = kafka.DecodeCommand(w.records[record], w.consumer.config.Group)
			if fault := w.faults[record]; fault != nil {
				cmd.Fault = fault
			}
			cmd.Behind = w.behind[record]
			record++
		}
	}
	w.records, w.faults, w.behind = nil, nil, nil
}

// Done gives the Work back: the first consumed commands, in the order of Commands, are finished. The others are handed out again, before
// anything younger of their partition. For a partition that is not held any more it does nothing. The second call does nothing.
func (w *Work) Done(consumed int) {
	for partition, crowded := range w.finish(consumed) {
		w.consumer.tellCrowded(partition, crowded)
	}
}

// finish does the work of Done. It gives the partitions that have become crowded, and those that are so no more.
func (w *Work) finish(consumed int) (changed map[int32]bool) {
	c := w.consumer
	c.mu.Lock()
	defer c.mu.Unlock()
	if w.done {
		return nil
	}
	w.done = true
	for i := range w.shares {
		s := &w.shares[i]
		p := s.part
		if c.parts[p.partition] != p {
			continue
		}
		crowded := c.crowdedLocked(p)
		p.settleLocked(w, s, min(max(consumed-s.first, 0), len(s.due)+s.count))
		p.taken = 0
		c.fetchLocked(p)
		if p.buffer.records > 0 || p.later.memory > 0 {
			c.rouse(p.lane)
		}
		if is := c.crowdedLocked(p); is != crowded {
			if changed == nil {
				changed = map[int32]bool{}
			}
			changed[p.partition] = is
		}
	}
	return changed
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
