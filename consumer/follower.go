package consumer

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// follower is the reading of one partition by a [Subscriber], from its assignment to its end. Its goroutine delivers the records of the
// buffer one after another.
//
//	committed <= done <= offset of the oldest record in the buffer, or next when there is none
type follower struct {
	s         *Subscriber
	partition int32

	// guarded by Subscriber.mu
	buffer    buffer
	next      int64 // offset to receive next; lower ones are dropped
	done      int64 // everything below is handled or is nothing to handle
	committed int64 // the done that the group knows; -1 before the first commit
	high      int64 // high watermark, as the latest fetch told
	full      bool  // the buffer went over its bound and has not come down to half since: fetching is paused
	fullSince time.Time
	inHand    time.Time // since when the event in hand is; zero while there is none
	slowTold  bool      // since the last event was done

	wake  chan struct{}      // room for one: something may have arrived
	stop  context.Context    // ends when no further event is to be begun
	leave context.CancelFunc // ends stop
	hand  context.Context    // of the event in hand
	drop  context.CancelFunc // ends hand
	ended chan struct{}      // closed when the goroutine has returned
}

// begin starts to follow partitions from the given offsets.
func (s *Subscriber) begin(from map[int32]int64) {
	wanted := map[int32]bool{}
	for _, p := range s.wanted() {
		wanted[p] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for p, offset := range from {
		if s.config.ConsumerGroup == "" && !wanted[p] {
			continue
		}
		f := s.follower(p, offset)
		s.followers[p] = f
		go f.run() // joined by release
	}
}

// follower makes one that does not run yet.
func (s *Subscriber) follower(p int32, offset int64) *follower {
	f := &follower{
		s: s, partition: p, next: offset, done: offset, committed: -1, high: max(offset, s.start.end[p]),
		wake: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	f.stop, f.leave = context.WithCancel(s.soft)
	f.hand, f.drop = context.WithCancel(s.hard)
	return f
}

// receive takes in what a fetch brought; the subscriber's mu is held. Control records only move the place.
func (f *follower) receive(records []*kgo.Record, high int64) {
	f.high = max(f.high, high)
	kept := records[:0]
	for _, r := range records {
		if r.Offset < f.next {
			continue
		}
		f.next = r.Offset + 1
		if !r.Attrs.IsControl() {
			kept = append(kept, r)
		}
	}
	f.buffer.add(kept)
	f.settleLocked()
	signal(f.wake)
}

// settleLocked moves done over what is nothing to handle, and tells kgo whether to fetch.
func (f *follower) settleLocked() {
	if f.buffer.records == 0 {
		f.done = max(f.done, f.next)
	}
	limit := f.s.config.bufferBytes()
	full := f.full && f.buffer.memory > limit/2 || f.buffer.memory >= limit
	if full == f.full || f.s.client == nil {
		return
	}
	f.full, f.fullSince = full, time.Now()
	which := map[string][]int32{f.s.topic: {f.partition}}
	if full {
		f.s.client.PauseFetchPartitions(which)
	} else {
		f.s.client.ResumeFetchPartitions(which)
	}
}

// run delivers until the follower is to stop.
func (f *follower) run() {
	defer close(f.ended)
	defer f.drop()
	defer f.leave()
	for f.stop.Err() == nil {
		f.s.mu.Lock()
		at := f.buffer.reader()
		record := at.peek()
		if record != nil {
			f.inHand = time.Now()
		}
		f.s.mu.Unlock()
		if record == nil {
			select {
			case <-f.wake:
			case <-f.stop.Done():
			}
			continue
		}
		e, none, fault := f.s.decode(record)
		if !none {
			if err := f.s.settle(f.stop, f.hand, e, fault); err != nil {
				if f.hand.Err() == nil && f.stop.Err() == nil {
					f.s.fail(err)
				}
				return
			}
		}
		f.s.mu.Lock()
		f.buffer.drop(1)
		f.inHand = time.Time{}
		f.slowTold = f.slowTold && f.full
		f.done = record.Offset + 1
		f.settleLocked()
		f.s.mu.Unlock()
	}
}

// decode makes an event of a record, or the fault of one that claims to be an event; none tells that there is nothing to deliver.
func (s *Subscriber) decode(r *kgo.Record) (e *muster.Event, none bool, fault error) {
	event, err := kafka.DecodeEvent(r, s.config.Reading.Group)
	at := muster.Position{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}
	switch {
	case err == nil:
		return &event, false, nil
	case errors.Is(err, kafka.ErrTombstone):
		return nil, true, nil
	case errors.Is(err, kafka.ErrForeign):
		s.foreign(at)
		return nil, true, nil
	}
	return &muster.Event{Meta: muster.Meta{Topic: at.Topic, Partition: at.Partition, Offset: at.Offset}}, false, err
}

func (s *Subscriber) foreign(at muster.Position) {
	s.log.Warn("record in the journal that the toolkit did not write; passed over", "position", at.String())
	if s.config.Foreign != nil {
		s.config.Foreign(at)
	}
}

// settle delivers one event until it is handled. The error is that of Deliver, or of stop when there was to be another attempt.
func (s *Subscriber) settle(stop, hand context.Context, e *muster.Event, fault error) error {
	for wait, attempt := againFirst, 1; ; wait, attempt = min(2*wait, againTop), attempt+1 {
		try := *e
		try.Attempt = attempt
		again, err := s.config.Deliver(hand, &try, fault)
		if err == nil || !again {
			return err
		}
		if err := pause(stop, wait/2+rand.N(wait/2)); err != nil {
			return err
		}
	}
}
