package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/history"
)

// marker is in everything that is written of people, and nowhere in clear where it is sealed.
const marker = "Marker-Qz7 "

// witnesses is how many people have words in the events of many aggregates.
const witnesses = 6

// Sealed tells whether a run seals what is written of people, and erases some of them: every other seed.
func Sealed(seed uint64) bool { return seed%2 == 0 }

// people gives commands witnesses, and puts erasures in the place of about one operation in a hundred, of those who have an aggregate and of witnesses
// in turn.
func (w Workload) people(rng *rand.Rand) {
	heard := map[string]string{} // by command: what is sent twice is the same both times
	for _, of := range w {
		for n := range of {
			o := &of[n]
			if _, before := heard[o.ID]; !before {
				heard[o.ID] = ""
				if !o.Query && o.Events > 0 && rng.IntN(3) == 0 {
					heard[o.ID] = witness(rng.IntN(witnesses))
				}
			}
			o.Witness = heard[o.ID]
		}
	}
	for n := range max(2, w.Len()/100) {
		of := w[rng.IntN(len(w))]
		at := len(of)/8 + rng.IntN(max(1, len(of)*3/4))
		subject := of[at].Aggregate
		if cold := w.cold(at); len(cold) > 0 && rng.IntN(2) == 0 {
			subject = pick(rng, cold)
		}
		if n%2 == 1 || subject == "" {
			subject = witness(rng.IntN(witnesses))
		}
		of[at] = Operation{ID: fmt.Sprint("erasure-", n), Erase: subject}
	}
}

// cold gives the aggregates that have data of people and are not touched from some time before a place on: no later event replaces what an erasure has
// left in their rows.
func (w Workload) cold(from int) (all []string) {
	last, personal := map[string]int{}, map[string]bool{}
	for _, of := range w {
		for n, o := range of {
			if !o.Query && o.Erase == "" {
				last[o.Aggregate] = max(last[o.Aggregate], n)
				personal[o.Aggregate] = personal[o.Aggregate] || o.Events > 0 && o.Bytes > 0 && !o.Refuse && !o.Panic
			}
		}
	}
	for id, n := range last {
		if personal[id] && n+5 < from {
			all = append(all, id)
		}
	}
	slices.Sort(all)
	return all
}

func witness(n int) string { return fmt.Sprint("person-", n) }

// people is what is known of them without asking the system: what was written in which command, and so whose data is where.
type people struct {
	commands map[string]Operation
	subjects map[string]map[string]bool // by aggregate: who may have data there
}

func newPeople(all Workload) *people {
	p := &people{commands: map[string]Operation{}, subjects: map[string]map[string]bool{}}
	for _, of := range all {
		for _, o := range of {
			p.commands[o.ID] = o
			if o.Erase != "" || o.Query {
				continue
			}
			if p.subjects[o.Aggregate] == nil {
				p.subjects[o.Aggregate] = map[string]bool{o.Aggregate: true}
			}
			if o.Witness != "" {
				p.subjects[o.Aggregate][o.Witness] = true
			}
		}
	}
	return p
}

// event gives an event of the journal as it was written, but for the data of those who are gone.
func (p *people) event(e *muster.Event, gone func(subject string) bool) noted {
	in := p.commands[e.CausationID].note()
	if gone(e.AggregateID) {
		in.Body = ""
	}
	if gone(in.Witness) {
		in.Word = ""
	}
	return noted{history.Mark{Tenant: tenant, Aggregate: e.AggregateID, Command: e.CausationID, Ordinal: e.Index}, in.Body, in.said}
}

// fold gives the state of an aggregate that such events make.
func (p *people) fold(events []muster.Event, gone func(subject string) bool) tally {
	t := &tally{}
	for i := range events {
		t = t.with(p.event(&events[i], gone))
	}
	return *t
}

func nobody(string) bool { return false }
