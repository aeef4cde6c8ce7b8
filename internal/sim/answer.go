package sim

import (
	"sync"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/history"
)

// answer is what a caller was shown of an aggregate.
type answer struct {
	id, aggregate string
	query         bool
	begun, ended  time.Time // of the attempt that was answered
	shown         tally
}

type answers struct {
	mu     sync.Mutex // guards what follows
	all    []answer
	probes []history.Probe
	wrote  map[string]bool // by subject: something was written of it
}

func (a *answers) add(one answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = append(a.all, one)
}

// withheld tells whether an operation may be refused for the sake of somebody erased: from asking to its end anything that shows data of that subject may,
// afterwards only what brings data of it.
func (w *world) withheld(o Operation, begun time.Time) bool {
	in := o.note()
	if o.Query {
		in = note{} // it brings nothing
	}
	for subject := range w.people.subjects[o.Aggregate] {
		e := w.erasures.of(subject)
		switch {
		case e == nil:
		case !w.over(e, begun), subject == o.Aggregate && in.Body != "", subject == in.Witness && in.Word != "":
			return true
		}
	}
	return false
}

// judge holds what callers were shown against what was written, where it is known who was gone by then, and gives the queries as the journal of today
// has to answer them.
func (w *world) judge(r *history.Record) {
	journal := r.Journal.ByAggregate()
	queries := map[string]*history.Query{}
	for i := range r.Queries {
		queries[r.Queries[i].ID] = &r.Queries[i]
	}
	for i := range w.answers.all {
		a := &w.answers.all[i]
		events := journal[a.aggregate]
		if a.shown.Count > len(events) {
			w.fault("I1: %s was shown %d events of %s; the journal has %d", a.id, a.shown.Count, a.aggregate, len(events))
			continue
		}
		events = events[:a.shown.Count]
		w.probe(a.aggregate, "the body in the answer to "+a.id, a.begun, a.ended, a.shown.Body, w.people.fold(events, nobody).Body)
		w.probe(a.shown.Witness, "the word in the answer to "+a.id, a.begun, a.ended, a.shown.Word, w.people.fold(events, nobody).Word)
		if a.query {
			w.judgeQuery(a, queries[a.id], events)
		}
	}
	r.Probes = w.answers.probes
}

// judgeQuery holds all that a query was shown against a fold, unless somebody was being erased meanwhile: then only what is in clear.
func (w *world) judgeQuery(a *answer, q *history.Query, events []muster.Event) {
	sure := true
	for subject := range w.people.subjects[a.aggregate] {
		e := w.erasures.of(subject)
		sure = sure && (e == nil || a.ended.Before(e.asked) || w.over(e, a.begun))
	}
	today := w.people.fold(events, w.erased)
	if sure {
		want := w.people.fold(events, func(subject string) bool {
			e := w.erasures.of(subject)
			return e != nil && w.over(e, a.begun)
		})
		if a.shown != want {
			w.fault("I12: query %s of %s was answered with %s; the journal as it was folds to %s", a.id, a.aggregate, a.shown, want)
		}
	}
	shown := a.shown
	shown.Trace, shown.Body, shown.Word = today.Trace, today.Body, today.Word
	q.Answer = shown.String()
}

// erased tells whether somebody has asked for the erasure of a subject.
func (w *world) erased(subject string) bool { return w.erasures.of(subject) != nil }

// probe notes that data of a subject was looked at in some time, what there was, and what was written there.
func (w *world) probe(subject, where string, begun, ended time.Time, got, written string) {
	a, e := &w.answers, w.erasures.of(subject)
	switch {
	case got != "" && got != written:
		w.fault("I8: %s is %.60q; %.60q was written", where, got, written)
	case written == "":
		return
	case e == nil:
		a.probes = append(a.probes, history.Probe{Subject: subject, Where: where, At: w.began, Opened: true, Content: written},
			history.Probe{Subject: subject, Where: where, At: ended, Opened: got != "", Content: got})
	case ended.Before(e.asked) && got == "":
		w.fault("I12: %s did not open before anybody had asked for an erasure of %s", where, subject)
	case w.over(e, begun):
		a.probes = append(a.probes, history.Probe{Subject: subject, Where: where, At: begun, Opened: got != "", Content: got})
	}
	a.wrote[subject] = true
}
