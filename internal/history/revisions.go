package history

import "github.com/seed-3eec0498/muster"

// revisions is I3, and sorts the events by command and aggregate on the way.
func (c *check) revisions() {
	last := map[string]uint64{}
	home := map[string]int{}
	for p, events := range c.r.Journal.Events {
		for i := range events {
			e := &events[i]
			if old, seen := home[e.AggregateID]; seen && old != p {
				c.fault("aggregate %s has events in the partitions %d and %d", e.AggregateID, old, p)
			}
			home[e.AggregateID] = p
			if e.Revision != last[e.AggregateID]+1 {
				c.fault("aggregate %s at %s: revision %d follows %d (command %s)", e.AggregateID, place(e), e.Revision, last[e.AggregateID], e.CausationID)
			}
			last[e.AggregateID] = e.Revision
			c.byCommand[e.CausationID] = append(c.byCommand[e.CausationID], *e)
			c.byAggregate[e.AggregateID] = append(c.byAggregate[e.AggregateID], *e)
		}
	}
	if c.r.Cleaned != nil {
		c.cleaned()
	}
}

// cleaned holds the journal after compaction against the one before: what no tombstone names is there, and nothing else.
func (c *check) cleaned() {
	after := map[muster.Position]string{}
	for _, events := range c.r.Cleaned.Events {
		for i := range events {
			after[events[i].Position()] = events[i].ID
		}
	}
	for _, events := range c.r.Journal.Events {
		for i := range events {
			e := &events[i]
			id, left := after[e.Position()]
			delete(after, e.Position())
			switch {
			case left && id != e.ID:
				c.fault("the cleaner left event %s at %s, where %s was", id, place(e), e.ID)
			case !left && e.Revision > c.r.Removed[e.AggregateID]:
				c.fault("the cleaner took revision %d of aggregate %s at %s; tombstones name those up to %d", e.Revision, e.AggregateID, place(e), c.r.Removed[e.AggregateID])
			}
		}
	}
	for position, id := range after {
		c.fault("after the cleaner there is event %s at %v, which was not there before", id, position)
	}
}

// effects is I2.
func (c *check) effects() {
	for id, events := range c.byCommand {
		if want := events[0].Count; len(events) != want {
			c.fault("command %s has %d events in the journal, of %d; first at %s, last at %s", id, len(events), want, place(&events[0]), place(&events[len(events)-1]))
			continue
		}
		for i := range events {
			e := &events[i]
			if e.Index != i || e.AggregateID != events[0].AggregateID || e.Revision != events[0].Revision+uint64(i) {
				c.fault("command %s, event %d: index %d, aggregate %s, revision %d at %s do not continue revision %d of %s",
					id, i, e.Index, e.AggregateID, e.Revision, place(e), events[0].Revision, events[0].AggregateID)
			}
		}
	}
}

func place(e *muster.Event) string { return e.Position().String() }
