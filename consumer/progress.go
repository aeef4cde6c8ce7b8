package consumer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// fetched keeps the metadata of the committed offsets; kgo calls it right before assigned, with what the same stable fetch brought.
func (s *session) fetched(_ context.Context, _ *kgo.Client, response *kmsg.OffsetFetchResponse) error {
	s.metadata = map[int32]string{}
	for p, err := range standings(response) { // of one topic: the only one subscribed to
		if err == nil {
			s.metadata[p.partition] = p.metadata
		}
	}
	return nil
}

// standing says where a partition stands whose committed offset is at: what is consumed, and the offset to read from. Commands that are not
// in the log are told, and given up.
func (s *session) standing(partition int32, at int64, bounds logRange) (progress muster.Progress, start int64) {
	progress, err := kafka.DecodeProgress(partition, at, s.metadata[partition])
	if err != nil {
		s.log.WarnContext(s.run, "the committed offset was set by somebody else; serving goes on there", "group", s.members,
			"partition", partition, "offset", at, "error", err)
	}
	switch {
	case at < 0:
		progress.Next = bounds.start // nothing was ever committed
	case at > bounds.end || progress.Next > bounds.end:
		lost := max(at, progress.Next)
		if at > bounds.end {
			at = bounds.start
		}
		progress = muster.Progress{Partition: partition, Next: max(at, bounds.start)}
		s.tell(partition, lost, fmt.Errorf("the committed offset %d lies behind the end of the log at %d, so %s has lost records; "+
			"serving starts over at %d, and what was answered inside of the dedup window is not executed again", lost, bounds.end, s.topic, progress.Next))
	case at < bounds.start:
		s.tell(partition, at, fmt.Errorf("the commands from offset %d up to %d were deleted before they were handled; "+
			"serving goes on at %d; lengthen the retention of %s", at, bounds.start, max(progress.Next, bounds.start), s.topic))
		progress.Next = max(progress.Next, bounds.start)
		progress.Waiting = slices.DeleteFunc(progress.Waiting, func(offset int64) bool { return offset < bounds.start })
	}
	if len(progress.Waiting) > 0 {
		return progress, progress.Waiting[0]
	}
	return progress, progress.Next
}

// wants tells whether a record is one to hand out: below the offset at which this ownership began, only the waiting ones are. What
// was expected before it is not in the log any more; it is moved to gone.
func (p *part) wants(r *kgo.Record) bool {
	for len(p.expected) > 0 && p.expected[0] < r.Offset {
		p.gone, p.expected = append(p.gone, p.expected[0]), p.expected[1:]
	}
	if len(p.expected) > 0 && p.expected[0] == r.Offset {
		p.expected = p.expected[1:]
		return true
	}
	return r.Offset >= p.resume
}

// giveUpLocked forgets waiting commands that the log has lost, and gives their offsets.
func (p *part) giveUpLocked() []int64 {
	gone := p.gone
	p.gone = nil
	for _, offset := range gone {
		p.progress.Consume(offset, false)
	}
	return gone
}

// tellGone tells of waiting commands that are not in the log.
func (s *session) tellGone(partition int32, gone []int64) {
	if len(gone) > 0 {
		s.tell(partition, gone[0], fmt.Errorf("the commands at the offsets %v waited for another try and are not in the log any more; "+
			"they are given up; check the brokers for lost data, or lengthen the retention of %s", gone, s.topic))
	}
}

// cutLocked lets a part go on at another offset: of what the log has lost nothing waits.
func (p *part) cutLocked(next int64) {
	p.resume, p.expected = min(p.resume, next), nil
	p.later.cut(next)
	p.progress.Waiting = slices.DeleteFunc(p.progress.Waiting, func(offset int64) bool { return offset >= next })
}

// crowdedLocked tells that no further command of the part may wait, so that nothing new is handed out.
func (c *Consumer) crowdedLocked(p *part) bool {
	return len(p.progress.Waiting) >= c.config.maxWaiting()
}

func (c *Consumer) tellCrowded(partition int32, crowded bool) {
	if crowded {
		c.log.Warn("as many commands wait for another try as may; further commands of the partition are held back until one of them ends",
			"group", c.members, "partition", partition, "waiting", c.config.maxWaiting())
		return
	}
	c.log.Info("further commands of the partition are handed out again", "group", c.members, "partition", partition)
}

// newLocked gives how many records of the buffer may be handed out: all, or where no more may wait, those that wait already.
func (c *Consumer) newLocked(p *part) int {
	if !c.crowdedLocked(p) {
		return p.buffer.records
	}
	n := 0
	for r := p.buffer.reader(); r.peek() != nil && r.peek().Offset < p.progress.Next; r.step() {
		n++
	}
	return n
}

// Waiting gives, per held partition, how many commands wait for another try. While a partition has as many as may wait
// ([Config.MaxWaiting]), none of its further commands is handed out.
func (c *Consumer) Waiting() map[int32]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make(map[int32]int, len(c.parts))
	for partition, p := range c.parts {
		all[partition] = len(p.progress.Waiting)
	}
	return all
}

// Progress gives what is consumed of the partitions of the Work, the Work itself left out: the batch needs it, so that what is committed
// says all that waits.
func (w *Work) Progress() []muster.Progress {
	c := w.consumer
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]muster.Progress, 0, len(w.shares))
	for i := range w.shares {
		p := w.shares[i].part.progress
		p.Waiting = slices.Clone(p.Waiting)
		all = append(all, p)
	}
	return all
}

// Wait says which of the Work's commands are not finished although they are consumed, once that is committed. Call it before Done. They are
// handed out again when they are due; whatever comes for their aggregates meanwhile is marked as Behind.
func (w *Work) Wait(all []muster.Waiting) {
	for i := range all {
		if w.waits == nil {
			w.waits = make(map[int]*muster.Waiting, len(all))
		}
		w.waits[all[i].Index] = &all[i]
	}
}

// settleLocked notes what became of the first n commands of a share.
func (p *part) settleLocked(w *Work, s *share, n int) {
	for i := s.first; i < s.first+n; i++ {
		cmd, how := &w.Commands[i], w.waits[i]
		p.progress.Consume(cmd.Offset, how != nil)
		switch {
		case how != nil:
			p.later.put(cmd, how)
		case i < s.first+len(s.due):
			p.later.remove(cmd)
		}
	}
	p.later.back()
	p.busy = false
	p.finishLocked(max(0, n-len(s.due)))
}

// sleep waits until it is woken, or until the time given, where it is not zero, or ctx ends. It reports false when the consumer has ended.
func (c *Consumer) sleep(ctx context.Context, wake <-chan struct{}, until time.Time) bool {
	var due <-chan time.Time
	if !until.IsZero() {
		timer := time.NewTimer(max(until.Sub(c.config.now()), time.Millisecond))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-wake:
	case <-due:
	case <-ctx.Done():
	case <-c.ended:
		return false
	}
	return true
}
