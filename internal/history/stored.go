package history

import (
	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/journal"
)

// ReadStored gives what an owner has stored of all partitions of a group. The owner must have ended.
func ReadStored(owner string, states *journal.GroupStore, group *muster.Group) (all []Stored, err error) {
	for p := range group.Partitions() {
		at, err := states.Open(p)
		if err != nil {
			return nil, err
		}
		s := Stored{Owner: owner, Partition: p, Next: at.Next}
		err = states.Each(p, func(state muster.StoredState) error {
			s.States = append(s.States, state)
			return nil
		})
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}
