package sim

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Operation is one thing that a client does: a command with an id of its own, a command that another client sends as well, or a query.
type Operation struct {
	ID        string
	Aggregate string
	Query     bool
	Events    int
	Bytes     int // of each event's body
	Witness   string
	Refuse    bool
	Panic     bool
	Erase     string // a subject, and nothing else is done
}

// note gives the command of an operation, the same for the same one.
func (o Operation) note() note {
	in := note{Events: o.Events, Refuse: o.Refuse, Panic: o.Panic}
	if o.Bytes > 0 {
		in.Body = (marker + o.ID + " ") + strings.Repeat("x", o.Bytes)
	}
	if o.Witness != "" {
		in.said = said{o.Witness, marker + "of " + o.ID}
	}
	return in
}

// Workload is what the clients do, by client, each in its order.
type Workload [][]Operation

// The shape of a workload.
const (
	clients    = 4
	aggregates = 48
	skew       = 1.3 // of Zipf's distribution: about a third of all goes to the first aggregate
)

// NewWorkload draws a workload from a seed: so many operations for each client.
func NewWorkload(seed uint64, each int) Workload {
	rng := rand.New(rand.NewPCG(seed, 0x776f726b))
	zipf := rand.NewZipf(rng, skew, 1, aggregates-1)
	all := make(Workload, clients)
	for n := range each {
		for c := range all {
			all[c] = append(all[c], all.draw(rng, zipf, c, n))
		}
	}
	if Sealed(seed) {
		all.people(rand.New(rand.NewPCG(seed, 0x70656f70)))
	}
	return all
}

// draw makes the n-th operation of a client.
func (w Workload) draw(rng *rand.Rand, zipf *rand.Zipf, client, n int) Operation {
	o := Operation{ID: fmt.Sprintf("c%d-%d", client, n), Aggregate: fmt.Sprintf("agg-%d", zipf.Uint64()), Events: 1}
	switch roll := rng.IntN(100); {
	case roll < 8: // the same command again, from here: at about the time of the first, or later
		if from := w[(client+1+rng.IntN(clients-1))%clients]; len(from) > 0 {
			// The answer of one without events is remembered as long as the owner's store lives, no longer: see G7 in docs/guarantees.md.
			if again := from[max(0, len(from)-1-rng.IntN(12))]; !again.Query && again.Events > 0 {
				return again
			}
		}
	case roll < 16:
		o.Query, o.Events = true, 0
	case roll < 26:
		o.Refuse = true
	case roll < 27:
		o.Panic = true
	case roll < 28:
		o.Events = 0 // answers, and changes nothing
	case roll < 50:
		o.Events = 2 + rng.IntN(4)
	case roll < 53:
		o.Events = 20 + rng.IntN(80)
	}
	switch roll := rng.IntN(20); {
	case roll == 0:
		o.Bytes = 10_000 / max(o.Events, 1)
	case roll < 10:
		o.Bytes = rng.IntN(200)
	}
	return o
}

// Len is the number of operations.
func (w Workload) Len() (n int) {
	for _, of := range w {
		n += len(of)
	}
	return n
}
