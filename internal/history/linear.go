package history

import (
	"math"
	"time"

	"github.com/anishathalye/porcupine"
)

// linearBound is how long the search for an order may take, for all aggregates together. It is fast where there is an order, and slow only
// where there is none.
const linearBound = time.Minute

// move is one operation on an aggregate, as porcupine sees it: from one revision to another, which is the same one for a query.
type move struct {
	aggregate string
	from, to  uint64
}

// linearizable is I6. The journal says what every command did, also those that were never answered: they took effect at some time after they
// were sent. Those that left nothing in the journal took none. What a query answered must be the fold at its revision, where the contract
// can show one.
func (c *check) linearizable() {
	if len(c.r.Queries) == 0 {
		return
	}
	var moves []porcupine.Operation
	clients, began := map[string]int{}, c.began()
	add := func(client string, m move, begin, end time.Time) {
		if _, known := clients[client]; !known {
			clients[client] = len(clients)
		}
		until := int64(math.MaxInt64)
		if !end.IsZero() {
			until = int64(end.Sub(began))
		}
		moves = append(moves, porcupine.Operation{ClientId: clients[client], Input: m, Call: int64(begin.Sub(began)), Return: until})
	}
	sent := map[string]*Call{}
	for i := range c.r.Calls {
		call := &c.r.Calls[i]
		if one := sent[call.ID]; one == nil || call.Sent.Before(one.Sent) {
			sent[call.ID] = call
		}
	}
	for id, events := range c.byCommand {
		m := move{events[0].AggregateID, events[0].Revision - 1, events[len(events)-1].Revision}
		switch call, first := sent[id], c.first[id]; {
		case call == nil: // nobody recorded who sent it and when
			moves = append(moves, porcupine.Operation{Input: m, Call: math.MinInt64, Return: math.MaxInt64})
		case first == nil:
			add(call.Caller, m, call.Sent, time.Time{})
		default:
			add(call.Caller, m, call.Sent, first.Answered)
		}
	}
	for i := range c.r.Queries {
		q := &c.r.Queries[i]
		if q.Answered.IsZero() {
			continue
		}
		add(q.Caller, move{q.Aggregate, q.Revision, q.Revision}, q.Asked, q.Answered)
		c.shown(q)
	}
	switch porcupine.CheckOperationsTimeout(byRevision, moves, linearBound) {
	case porcupine.Ok:
	case porcupine.Illegal:
		c.illegal(moves)
	case porcupine.Unknown:
		c.fault("no order of %d commands and queries was found within %v, nor that there is none; record less", len(moves), linearBound)
	}
}

// illegal names the aggregates for which there is no order.
func (c *check) illegal(moves []porcupine.Operation) {
	byAggregate := map[string][]porcupine.Operation{}
	for _, m := range moves {
		id := m.Input.(move).aggregate
		byAggregate[id] = append(byAggregate[id], m)
	}
	for id, some := range byAggregate {
		if porcupine.CheckOperationsTimeout(byRevision, some, linearBound) == porcupine.Illegal {
			c.fault("aggregate %s: there is no order of its %d commands and queries that agrees with the times and with what they saw", id, len(some))
		}
	}
}

// began is the zero of the clock that porcupine sees.
func (c *check) began() time.Time {
	first := c.r.Queries[0].Asked
	for i := range c.r.Queries {
		if at := c.r.Queries[i].Asked; at.Before(first) {
			first = at
		}
	}
	return first
}

// byRevision is an aggregate as far as queries can tell: its revision.
var byRevision = porcupine.Model{
	Partition: func(all []porcupine.Operation) [][]porcupine.Operation {
		place := map[string]int{}
		var parts [][]porcupine.Operation
		for _, one := range all {
			id := one.Input.(move).aggregate
			at, known := place[id]
			if !known {
				at = len(parts)
				place[id], parts = at, append(parts, nil)
			}
			parts[at] = append(parts[at], one)
		}
		return parts
	},
	Init: func() any { return uint64(0) },
	Step: func(state, input, _ any) (bool, any) {
		m := input.(move)
		return state.(uint64) == m.from, m.to
	},
	Equal: func(a, b any) bool { return a == b },
}

// shown holds what a query answered against the fold of the journal at its revision.
func (c *check) shown(q *Query) {
	if c.contract.Fold == nil || c.contract.Show == nil {
		return
	}
	events := c.byAggregate[q.Aggregate]
	if uint64(len(events)) < q.Revision {
		c.fault("a query of %s by %s was answered at revision %d; the journal has %d", q.Aggregate, q.Caller, q.Revision, len(events))
		return
	}
	var state []byte
	var err error
	if q.Revision > 0 {
		state, err = c.contract.Fold(events[:q.Revision])
	}
	want := ""
	if err == nil {
		want, err = c.contract.Show(state)
	}
	if err != nil || want != q.Answer {
		c.fault("a query of %s by %s was answered with %q at revision %d; the journal folds to %q, %v", q.Aggregate, q.Caller, q.Answer, q.Revision, want, err)
	}
}
