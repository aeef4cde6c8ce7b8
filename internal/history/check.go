package history

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/seed-3eec0498/muster"
)

// Check holds calls against the journal. Each violation is one error, which begins with the name of the invariant; nil: none was found.
func Check(calls []Call, j *Journal) error {
	c := &check{byCommand: map[string][]muster.Event{}, first: map[string]*Call{}}
	c.revisions(j)
	c.effects()
	c.answers(calls)
	c.order()
	if more := c.violations - len(c.faults); more > 0 {
		c.faults = append(c.faults, fmt.Errorf("and %d further violations", more))
	}
	return errors.Join(c.faults...)
}

// reported bounds the violations that are spelt out: one fault can break thousands of records.
const reported = 20

type check struct {
	byCommand  map[string][]muster.Event // in log order
	first      map[string]*Call          // by command id: the first answer
	faults     []error
	violations int
}

func (c *check) fault(format string, args ...any) {
	if c.violations++; len(c.faults) < reported {
		c.faults = append(c.faults, fmt.Errorf(format, args...))
	}
}

// revisions is I3, and sorts the events by command on the way.
func (c *check) revisions(j *Journal) {
	last := map[string]uint64{}
	home := map[string]int{}
	for p, events := range j.Events {
		for i := range events {
			e := &events[i]
			if old, seen := home[e.AggregateID]; seen && old != p {
				c.fault("I3: aggregate %s has events in the partitions %d and %d", e.AggregateID, old, p)
			}
			home[e.AggregateID] = p
			if e.Revision != last[e.AggregateID]+1 {
				position := e.Position()
				c.fault("I3: aggregate %s at %v: revision %d follows %d (command %s)", e.AggregateID, position, e.Revision, last[e.AggregateID], e.CausationID)
			}
			last[e.AggregateID] = e.Revision
			c.byCommand[e.CausationID] = append(c.byCommand[e.CausationID], *e)
		}
	}
}

// effects is I2.
func (c *check) effects() {
	for id, events := range c.byCommand {
		if want := events[0].Count; len(events) != want {
			c.fault("I2: command %s has %d events in the journal, of %d; first at %s, last at %s", id, len(events), want, place(&events[0]), place(&events[len(events)-1]))
			continue
		}
		for i := range events {
			e := &events[i]
			if e.Index != i || e.AggregateID != events[0].AggregateID || e.Revision != events[0].Revision+uint64(i) {
				c.fault("I2: command %s, event %d: index %d, aggregate %s, revision %d at %s do not continue revision %d of %s",
					id, i, e.Index, e.AggregateID, e.Revision, place(e), events[0].Revision, events[0].AggregateID)
			}
		}
	}
}

// answers is I1, I9, and of I4 that a repeat has the first answer.
func (c *check) answers(calls []Call) {
	calls = slices.Clone(calls)
	slices.SortStableFunc(calls, func(a, b Call) int { return a.Answered.Compare(b.Answered) })
	for i := range calls {
		call := &calls[i]
		if !call.answered() {
			continue
		}
		c.truth(call)
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
			c.fault("I4: command %s was answered first with %s, then with %s", call.ID, before, call)
		}
	}
}

func (c *check) truth(call *Call) {
	events := c.byCommand[call.ID]
	switch {
	case call.Refused && len(events) > 0:
		c.fault("I9: command %s was refused, and has %d events from %s on", call.ID, len(events), place(&events[0]))
	case call.Refused || call.Position.IsZero():
	case len(events) == 0:
		c.fault("I1: command %s was acknowledged with %s, and is not in the journal", call.ID, call)
	default:
		end := &events[len(events)-1]
		if end.Position() != call.Position || end.Revision != call.Revision || end.AggregateID != call.Aggregate {
			c.fault("I1: command %s on %s was acknowledged with %s, and lies at %s with revision %d of %s",
				call.ID, call.Aggregate, call, place(end), end.Revision, end.AggregateID)
		}
	}
}

// order is I4: on one aggregate, an answer that was there before another command was sent has the lower revision.
func (c *check) order() {
	byAggregate := map[string][]*Call{}
	for _, call := range c.first {
		if !call.Refused && !call.Position.IsZero() {
			byAggregate[call.Aggregate] = append(byAggregate[call.Aggregate], call)
		}
	}
	for aggregate, calls := range byAggregate {
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
				c.fault("I4: aggregate %s: command %s was answered with revision %d before %s was sent, which got %d",
					aggregate, high.ID, high.Revision, call.ID, call.Revision)
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

func place(e *muster.Event) string { return e.Position().String() }
