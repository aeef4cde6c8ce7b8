package consumer

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
)

// part is one ownership of one partition: it begins with the stable offset fetch and ends with the revocation. The same partition
// assigned again is another part, so nothing that belongs to an earlier ownership can be mistaken for the present one.
//
// All fields are guarded by Consumer.mu.
//
//	owned  <=>  Consumer.parts[partition] is this very part
//	handed out  =>  owned, served, not leaving
//	taken <= buffer.records; the records in a Work are the oldest ones
//	resume <= progress.Next; expected is part of progress.Waiting, every expected[i] < resume
type part struct {
	partition int32
	lane      int
	served    bool // its state is recovered
	leaving   bool // revocation has begun: nothing more is handed out, what is in hand may still be committed

	buffer buffer
	taken  int  // records in the Work in hand; 0 when there is none
	busy   bool // it is in a Work

	progress muster.Progress // what is consumed: finished, or left waiting
	later    later
	resume   int64   // progress.Next when the ownership began; below it only what is expected is taken in
	expected []int64 // the commands that waited then and have not been received yet
	gone     []int64 // those that the log does not have any more, to be told

	next int64 // offset to receive next; lower ones are dropped
	high int64 // high watermark, as the latest fetch told

	full    bool // what buffer and later take went over the bound and has not come down to half since
	halted  bool // reading failed; tried again at the next turn of retry
	stopped bool // kgo was told not to fetch it: full or halted

	told       string                        // the last fault told, so that a retry does not tell it again
	unreadable map[*kgo.Record]*muster.Error // records that stand for a batch that cannot be read, and why
}

// position is the offset of the next command to hand out, or the next one to come when all have been.
func (p *part) position() int64 {
	r := p.buffer.reader()
	for range p.taken {
		r.step()
	}
	if record := r.peek(); record != nil {
		return record.Offset
	}
	return p.next
}

// receive takes in what a fetch brought. Control records only move the position.
func (p *part) receive(records []*kgo.Record, high int64) {
	p.high = max(p.high, high)
	kept := records[:0]
	for _, r := range records {
		if r.Offset < p.next {
			continue
		}
		p.next = r.Offset + 1
		if wanted := p.wants(r); wanted && !r.Attrs.IsControl() {
			kept = append(kept, r)
		}
	}
	p.buffer.add(kept)
	p.told = ""
}

// fetchLocked tells kgo to fetch a partition or not, as its buffer and its faults say. kgo is told under the lock, so that the last word
// is the latest decision.
func (c *Consumer) fetchLocked(p *part) {
	limit := c.config.bufferBytes()
	switch memory := p.buffer.memory + p.later.memory; {
	case memory >= limit:
		p.full = true
	case memory <= limit/2:
		p.full = false
	}
	stop := p.full || p.halted
	if stop == p.stopped || c.client == nil {
		return
	}
	p.stopped = stop
	which := map[string][]int32{c.topic: {p.partition}}
	if stop {
		c.client.PauseFetchPartitions(which)
	} else {
		c.client.ResumeFetchPartitions(which)
	}
}

// dropLocked ends the ownership of parts. A pause does not outlive it.
func (c *Consumer) dropLocked(parts []*part) {
	for _, p := range parts {
		if c.parts[p.partition] != p {
			continue
		}
		delete(c.parts, p.partition)
		if p.stopped && c.client != nil {
			c.client.ResumeFetchPartitions(map[string][]int32{c.topic: {p.partition}})
		}
		p.buffer, p.unreadable, p.later = buffer{}, nil, later{}
	}
}
