package projector

import (
	"context"

	"github.com/seed-3eec0498/muster"
)

// NewStates makes a view that has the state of every aggregate of a group, under the aggregate's id, folded by the group's own evolve functions: the
// owner's state as something to list, search and watch, without any function of its own. Other events can be added with [On].
func NewStates[S any](name string, aggregate *muster.Aggregate[S], opts ...Option) *View[S] {
	v := NewView[S](name, opts...)
	g := aggregate.Group()
	v.reads(g)
	v.others[g.Name()] = func(_ context.Context, tx any, codec muster.Codec, ev *muster.Event) error {
		return v.Hand(tx).update(ev.AggregateID, aggregate.Empty, func(state S) (S, error) {
			state, err := aggregate.Fold(codec, state, ev)
			if err != nil {
				err = &undecodable{err}
			}
			return state, err
		})
	}
	return v
}
