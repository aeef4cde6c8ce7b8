package history

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/seed-3eec0498/muster"
)

// acknowledged is I1.
func (c *check) acknowledged() {
	for i := range c.r.Calls {
		call := &c.r.Calls[i]
		switch events := c.byCommand[call.ID]; {
		case !call.answered():
		case call.Refused, call.Position.IsZero():
			c.consumed(call.ID)
		case len(events) == 0:
			c.fault("command %s was acknowledged with %s, and is not in the journal", call.ID, call)
		default:
			end := &events[len(events)-1]
			if end.Position() != call.Position || end.Revision != call.Revision || end.AggregateID != call.Aggregate {
				c.fault("command %s on %s was acknowledged with %s, and lies at %s with revision %d of %s",
					call.ID, call.Aggregate, call, place(end), end.Revision, end.AggregateID)
			}
		}
	}
	for i := range c.r.Queries {
		if q := &c.r.Queries[i]; !q.Answered.IsZero() && q.ID != "" {
			c.consumed(q.ID)
		}
	}
}

// consumed holds what was answered without an event: its offset is committed.
func (c *check) consumed(id string) {
	if c.r.Commands == nil || c.r.Consumed == nil {
		return
	}
	for _, at := range c.r.Commands[id] {
		for i := range c.r.Consumed {
			p := &c.r.Consumed[i]
			if p.Partition == at.Partition && at.Offset < p.Next && !slices.Contains(p.Waiting, at.Offset) {
				return
			}
		}
	}
	c.fault("%s was answered without an event, and none of its offsets %v is consumed", id, c.r.Commands[id])
}

// order is I4: every repeat has the first answer, and on one aggregate an answer that was there before another command was sent has the
// lower revision. It notes the first answer of each command on the way.
func (c *check) order() {
	calls := slices.Clone(c.r.Calls)
	slices.SortStableFunc(calls, func(a, b Call) int { return a.Answered.Compare(b.Answered) })
	for i := range calls {
		call := &calls[i]
		if !call.answered() {
			continue
		}
		before := c.first[call.ID]
		if before == nil {
			c.first[call.ID] = call
			continue
		}
		if call.Sent.Before(before.Sent) {
			before.Sent = call.Sent
		}
		same := call.Refused == before.Refused &&
			(call.Refused || call.Revision == before.Revision && call.Position == before.Position && call.Answer == before.Answer)
		if !same {
			c.fault("command %s was answered first with %s, then with %s", call.ID, before, call)
		}
	}
	byAggregate := map[string][]*Call{}
	for _, call := range c.first {
		if !call.Refused && !call.Position.IsZero() {
			byAggregate[call.Aggregate] = append(byAggregate[call.Aggregate], call)
		}
	}
	for aggregate, calls := range byAggregate {
		c.realTime(aggregate, calls)
	}
}

// realTime goes once over the answered commands of one aggregate in the order of time.
func (c *check) realTime(aggregate string, calls []*Call) {
	answered := slices.Clone(calls)
	slices.SortFunc(answered, func(a, b *Call) int { return a.Answered.Compare(b.Answered) })
	slices.SortFunc(calls, func(a, b *Call) int { return cmp.Or(a.Sent.Compare(b.Sent), cmp.Compare(a.ID, b.ID)) })
	var high *Call // of those answered before the call was sent, the one with the highest revision
	for _, call := range calls {
		for len(answered) > 0 && answered[0].Answered.Before(call.Sent) {
			if high == nil || answered[0].Revision > high.Revision {
				high = answered[0]
			}
			answered = answered[1:]
		}
		if high != nil && high.Revision >= call.Revision {
			c.fault("aggregate %s: command %s was answered with revision %d before %s was sent, which got %d",
				aggregate, high.ID, high.Revision, call.ID, call.Revision)
		}
	}
}

// refusals is I9.
func (c *check) refusals() {
	for i := range c.r.Calls {
		call := &c.r.Calls[i]
		if events := c.byCommand[call.ID]; call.answered() && call.Refused && len(events) > 0 {
			c.fault("command %s was refused, and has %d events from %s on", call.ID, len(events), place(&events[0]))
		}
	}
	for i := range c.r.Letters {
		id := c.r.Letters[i].Command.ID
		if events := c.byCommand[id]; len(events) > 0 {
			c.fault("command %s has a dead letter, and %d events from %s on", id, len(events), place(&events[0]))
		}
		if answer := c.first[id]; answer != nil && !answer.Refused {
			c.fault("command %s has a dead letter, and was acknowledged with %s", id, answer)
		}
	}
}

// marks is I8.
func (c *check) marks() {
	for p, events := range c.r.Journal.Events {
		for i := range events {
			e := &events[i]
			mark, err := c.contract.Mark(e.Payload)
			want := Mark{Tenant: c.contract.Tenant, Aggregate: e.AggregateID, Command: e.CausationID, Ordinal: e.Index}
			if err != nil || mark != want {
				c.fault("event at %s is one of %+v, and carries %+v, %v", place(e), want, mark, err)
			}
			if home := c.contract.Partitioned; home != nil && int(home(e.AggregateID)) != p {
				c.fault("event at %s: aggregate %s belongs into partition %d", place(e), e.AggregateID, home(e.AggregateID))
			}
		}
	}
	for i := range c.r.Calls {
		call := &c.r.Calls[i]
		want := Mark{Tenant: c.contract.Tenant, Aggregate: call.Aggregate, Command: call.ID, Ordinal: call.Mark.Ordinal}
		if call.answered() && call.Mark != (Mark{}) && call.Mark != want {
			c.fault("%s asked for command %s on %s and got the answer of %+v", call.Caller, call.ID, call.Aggregate, call.Mark)
		}
	}
	if home := c.contract.Partitioned; home != nil {
		c.homes(home)
	}
}

// homes looks where states lie.
func (c *check) homes(home func(string) int32) {
	for _, stored := range c.r.Stored {
		for i := range stored.States {
			if s := &stored.States[i]; home(s.AggregateID) != stored.Partition {
				c.fault("%s has a state of %s in partition %d, which belongs into %d", stored.Owner, s.AggregateID, stored.Partition, home(s.AggregateID))
			}
		}
	}
}

// String gives the answer as violations print it.
func (c *Call) String() string {
	if c.Refused {
		return "a refusal (" + c.Caller + ")"
	}
	return fmt.Sprintf("revision %d at %v, %q (%s)", c.Revision, c.Position, c.Answer, c.Caller)
}

// before gives the events of an aggregate with offsets below a limit.
func before(events []muster.Event, limit int64) []muster.Event {
	n := 0
	for n < len(events) && events[n].Offset < limit {
		n++
	}
	return events[:n]
}
