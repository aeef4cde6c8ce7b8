package service

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/kafka"
)

// PeekState gives what this instance has stored of an aggregate; [muster.Aggregate.Peek] decodes it.
func (s *Service) PeekState(g *muster.Group, id string) (muster.PeekedState, error) {
	if err := muster.CheckAggregateID(id); err != nil {
		return muster.PeekedState{}, err
	}
	for _, o := range s.owners {
		if o.group.Name() == g.Name() {
			return o.peek(id)
		}
	}
	return muster.PeekedState{}, fmt.Errorf("service %s does not own group %s: %w", s.cfg.Name, g.Name(), muster.ErrNotHeld)
}

func (o *owner) peek(id string) (muster.PeekedState, error) {
	p := kafka.Partition(id, o.group.Partitions())
	at, held := o.states.Checkpoint(p)
	if !held {
		return muster.PeekedState{}, fmt.Errorf("%s[%d]: %w; ask with a query, or another replica", o.group.Name(), p, muster.ErrNotHeld)
	}
	stored, err := o.states.Load(p, id)
	if err != nil {
		return muster.PeekedState{}, err
	}
	peeked := muster.PeekedState{StoredState: stored, Time: at.Time, Owned: o.board.state(o.group.Name(), p) == Serving}
	if at.LastEvent != "" {
		peeked.Position = muster.Position{Topic: o.group.JournalTopic(o.cfg.Prefix), Partition: p, Offset: at.LastAt}
	}
	return peeked, nil
}

// errEnough ends the reading of a journal whose reader has seen what it wants.
var errEnough = errors.New("enough")

// History gives the committed events of one aggregate in the order of their revisions, up to the journal's end at the time of the call. Events
// that were trimmed, see [Service.Trim], are not among them: the first revision is above 1 then. It
// reads the whole partition, so it is for statements and audits, not for decisions. Any service may read any group.
func (s *Service) History(ctx context.Context, g *muster.Group, id string) iter.Seq2[muster.Event, error] {
	return func(yield func(muster.Event, error) bool) {
		if err := muster.CheckAggregateID(id); err != nil {
			yield(muster.Event{}, err)
			return
		}
		from := consumer.JournalConfig{Kafka: s.cfg.connection(), Group: g}
		p := kafka.Partition(id, g.Partitions())
		ends, err := consumer.EndOffsets(ctx, from, []int32{p})
		if err != nil {
			yield(muster.Event{}, err)
			return
		}
		_, err = consumer.ReadJournal(ctx, from, p, 0, ends[p], func(events []muster.Event) error {
			for i := range events {
				if events[i].AggregateID == id && !yield(events[i], nil) {
					return errEnough
				}
			}
			return nil
		}, nil)
		if err != nil && !errors.Is(err, errEnough) {
			yield(muster.Event{}, err)
		}
	}
}
