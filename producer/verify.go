package producer

import (
	"context"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// restTime is how long after a commit its slot counts as resting. While slots are used again sooner, no broker can have died, come back and
// begun to lead in between without a connection being lost.
const restTime = time.Second

// outcome is a transaction that was answered as committed.
type outcome struct {
	producer   int64
	epoch      int16
	partitions []int32        // of the decision: the journal may have been written there
	elsewhere  kadm.TopicsSet // where dead letters, commands and snapshots were written
	at         time.Time
}

func outcomeOf(s *slot, t *transaction) *outcome {
	o := &outcome{producer: s.producer, epoch: s.epoch, partitions: t.partitions, at: time.Now()}
	others := t.records
	if t.decision != nil {
		others = others[len(t.decision.Events):]
	}
	for i, r := range others {
		if i == 0 || r.Topic != others[i-1].Topic || r.Partition != others[i-1].Partition {
			o.elsewhere.Add(r.Topic, r.Partition)
		}
	}
	return o
}

// verify waits until the slot's last transaction is over in all of its partitions, and ends it there if nobody else will: the coordinator
// answers EndTxn before it writes the markers, and may fail to write them; see [Hanging]. After nil, whatever the slot writes next is a
// transaction of its own.
//
// That it was committed is known here from the answer, so this needs no proof of the coordinator's, and works after the id was
// initialised again.
func (s *slot) verify(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.within)
	defer cancel()
	select {
	case s.checking <- struct{}{}:
		defer func() { <-s.checking }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	last := s.last.Load()
	if last == nil {
		return nil
	}
	if err := patiently(ctx, func() error { return s.see(ctx, last) }); err != nil {
		return err
	}
	s.last.CompareAndSwap(last, nil)
	return nil
}

// see is one try of verify.
func (s *slot) see(ctx context.Context, last *outcome) error {
	places := s.p.placesOf(ctx, last.partitions)
	places.Merge(last.elsewhere)
	if open, err := s.openOf(ctx, places, last); err != nil || len(open) == 0 {
		return err
	}
	now, err := s.p.described(ctx, s.id)
	if err != nil {
		return err
	}
	if now.ProducerID == last.producer && (now.State == statePrepareCommit || now.ProducerEpoch <= last.epoch) {
		return kerr.ConcurrentTransactions // the markers are on their way
	}
	open, err := s.openOf(ctx, places, last) // they may have arrived before the coordinator was asked
	if err != nil || len(open) == 0 {
		return err
	}
	return s.p.end(ctx, s.id, open, last.epoch+1, true)
}

// openOf gives where the transaction is open.
func (s *slot) openOf(ctx context.Context, places kadm.TopicsSet, last *outcome) ([]kadm.DescribedProducer, error) {
	open, err := s.p.openRanges(ctx, places)
	return slices.DeleteFunc(open, func(r kadm.DescribedProducer) bool { return !last.is(r) }), err
}

func (o *outcome) is(r kadm.DescribedProducer) bool {
	return r.ProducerID == o.producer && r.ProducerEpoch == o.epoch
}

// awaits tells whether the slot is still to see the end of an open range.
func (s *slot) awaits(r kadm.DescribedProducer) bool {
	last := s.last.Load()
	return last != nil && last.is(r)
}

// watch verifies the last transactions of slots that rest, so that readers do not wait until the slot is used again. It works until ctx
// ends.
func (p *Producer) watch(ctx context.Context) {
	tick := time.NewTicker(restTime)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		for _, lane := range p.every() {
			for _, s := range lane.rotation.slots {
				if last := s.last.Load(); last == nil || time.Since(last.at) < restTime {
					continue
				}
				if err := s.verify(ctx); err != nil && ctx.Err() == nil {
					p.log.Warn("cannot see yet whether a committed transaction is visible, trying again", "lane", lane.number, "id", s.id, "error", err)
				}
			}
		}
	}
}
