package history

import (
	"bytes"
	"maps"
	"slices"

	"github.com/seed-3eec0498/muster"
)

// stored is I5. A state that came from a snapshot may be ahead of what the partition has read of the journal; it is held against the fold up
// to its own offset.
func (c *check) stored() {
	for i := range c.r.Stored {
		s := &c.r.Stored[i]
		if int(s.Partition) >= len(c.r.Journal.Events) {
			c.fault("%s has stored partition %d; the journal has %d", s.Owner, s.Partition, len(c.r.Journal.Events))
			continue
		}
		missing := map[string]bool{}
		for j := range c.r.Journal.Events[s.Partition] {
			if e := &c.r.Journal.Events[s.Partition][j]; e.Offset < s.Next {
				missing[e.AggregateID] = true
			}
		}
		for j := range s.States {
			state := &s.States[j]
			delete(missing, state.AggregateID)
			c.refold(s, state)
		}
		for _, id := range slices.Sorted(maps.Keys(missing)) {
			c.fault("%s has no state of %s, which has events below offset %d of partition %d", s.Owner, id, s.Next, s.Partition)
		}
	}
}

func (c *check) refold(s *Stored, state *muster.StoredState) {
	events := before(c.byAggregate[state.AggregateID], max(s.Next, state.Offset+1))
	if len(events) == 0 {
		c.fault("%s has a state of %s, of which the journal has no event up to %d", s.Owner, state.AggregateID, max(s.Next, state.Offset+1))
		return
	}
	last := &events[len(events)-1]
	want, err := c.contract.Fold(events)
	switch {
	case err != nil:
		c.fault("the journal of %s up to %s cannot be folded: %v", state.AggregateID, place(last), err)
	case state.Revision != last.Revision || state.Offset != last.Offset:
		c.fault("%s has %s at revision %d of offset %d; the journal has revision %d at %s", s.Owner, state.AggregateID, state.Revision, state.Offset, last.Revision, place(last))
	case !bytes.Equal(state.Data, want):
		c.fault("%s has %s at revision %d as %q; the journal folds to %q", s.Owner, state.AggregateID, state.Revision, state.Data, want)
	}
}

// views is I7.
func (c *check) views() {
	for i := range c.r.Views {
		v := &c.r.Views[i]
		fold, known := c.contract.Rows[v.Name]
		if !known {
			c.fault("the contract does not know view %s", v.Name)
			continue
		}
		var applied []muster.Event
		for p, events := range c.r.Journal.Events {
			next := int64(0)
			if p < len(v.Checkpoint) {
				next = v.Checkpoint[p]
			}
			these := before(events, next)
			applied = append(applied, these...)
			if len(these) < len(events) {
				c.fault("view %s at %s is at rest at offset %d of partition %d, and has not applied %s", v.Name, v.Instance, next, p, place(&events[len(these)]))
			}
		}
		want, err := fold(applied)
		if err != nil {
			c.fault("view %s cannot be folded: %v", v.Name, err)
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(want)) {
			if got, there := v.Rows[key]; !there || got != want[key] {
				c.fault("view %s at %s: row %s is %q (there: %t); the journal below its checkpoint folds to %q", v.Name, v.Instance, key, got, there, want[key])
			}
		}
		for _, key := range slices.Sorted(maps.Keys(v.Rows)) {
			if _, there := want[key]; !there {
				c.fault("view %s at %s has row %s, which no event below its checkpoint makes", v.Name, v.Instance, key)
			}
		}
	}
}
