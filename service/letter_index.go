package service

import (
	"context"
	"strings"
	"sync"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
)

// letterIndex is what the dead letter topic says about its own letters, read once and kept. A letter counts as replayed when a mark says
// so, or when a newer letter says that it comes from it: who replayed it may have died before the mark.
type letterIndex struct {
	reading sync.Mutex // held while the topic is read further

	mu    sync.Mutex // guards what follows
	marks map[place]muster.DeadLetterMark
	next  map[int32]int64 // read up to here, per partition
}

// place is a letter's, within its topic.
type place struct {
	partition int32
	offset    int64
}

func placeOf(at muster.Position) place { return place{at.Partition, at.Offset} }

func (i *letterIndex) mark(at muster.Position) (muster.DeadLetterMark, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	m, ok := i.marks[placeOf(at)]
	return m, ok
}

// add notes what one record says, and that it was read.
func (i *letterIndex) add(r consumer.DeadRecord, topic string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.next[r.At.Partition] = r.At.Offset + 1
	switch {
	case r.Mark != nil:
		i.marks[placeOf(r.Mark.Letter)] = *r.Mark
	case r.Fault == nil && r.Letter.Command.ReplayOf.Topic == topic:
		of := r.Letter.Command.ReplayOf
		i.marks[placeOf(of)] = muster.DeadLetterMark{
			Letter: of, Kind: muster.MarkReplayed, CommandID: r.Letter.Command.ID, AggregateID: r.Letter.Command.AggregateID, Time: r.Letter.Time,
			Note: "failed again: " + r.At.String(),
		}
	}
}

// forget drops the marks of letters that retention has deleted.
func (i *letterIndex) forget(ranges map[int32]consumer.Stretch) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for at := range i.marks {
		if at.offset < ranges[at.partition].From {
			delete(i.marks, at)
		}
	}
}

func (i *letterIndex) readTo(p int32) int64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.next[p]
}

func (i *letterIndex) wasRead(p int32, to int64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.next[p] = max(i.next[p], to)
}

// refresh reads what is new in all partitions, and gives what they hold now.
func (d *DeadLetters) refresh(ctx context.Context) (map[int32]consumer.Stretch, error) {
	d.index.reading.Lock()
	defer d.index.reading.Unlock()
	ranges, err := consumer.DeadLetterRanges(ctx, d.from)
	if err != nil {
		return nil, err
	}
	for p, held := range ranges {
		from := max(held.From, d.index.readTo(p))
		err := d.read(ctx, p, from, held.To, func(r consumer.DeadRecord) error {
			d.index.add(r, d.topic)
			return nil
		})
		if err != nil {
			return nil, err
		}
		d.index.wasRead(p, held.To)
	}
	d.index.forget(ranges)
	return ranges, nil
}

// catchUp reads a partition up to its high watermark. A reply is sent after the commit, but the broker may write the marker that makes a new
// letter visible a moment later, so the committed stretch may still lack it.
func (d *DeadLetters) catchUp(ctx context.Context, p int32) error {
	d.index.reading.Lock()
	defer d.index.reading.Unlock()
	end, err := consumer.DeadLetterEnd(ctx, d.from, p)
	if err != nil {
		return err
	}
	err = d.read(ctx, p, d.index.readTo(p), end, func(r consumer.DeadRecord) error {
		d.index.add(r, d.topic)
		return nil
	})
	if err == nil {
		d.index.wasRead(p, end)
	}
	return err
}

// omits tells whether a letter had to leave out what begins with the word.
func omits(omitted, word string) bool {
	for part := range strings.FieldsSeq(omitted) {
		if strings.HasPrefix(part, word) {
			return true
		}
	}
	return false
}
