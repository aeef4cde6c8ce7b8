package sim

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/history"
)

// beside is how many operations a client has under way.
const beside = 3

// work has all clients do their operations and returns when the last one has ended.
func (w *world) work(ctx context.Context) {
	var all sync.WaitGroup
	for c, operations := range w.settings.Operations {
		p, next := w.process(callerName(c)), make(chan Operation)
		all.Go(func() {
			defer close(next)
			for _, o := range operations {
				next <- o
			}
		})
		for range beside {
			all.Go(func() {
				for o := range next {
					w.steps.step()
					switch {
					case o.Erase != "":
						w.erase(ctx, p, o.Erase)
					case o.Query:
						w.ask(ctx, p, o)
					default:
						w.call(ctx, p, o)
					}
				}
			})
		}
	}
	all.Wait()
	close(w.steps.over)
	w.erasures.under.Wait()
}

// call sends a command until it is answered.
func (w *world) call(ctx context.Context, p *process, o Operation) {
	c := history.Call{Caller: p.name, ID: o.ID, Aggregate: o.Aggregate, Sent: time.Now()}
	defer func() { w.log.Add(c) }()
	in := o.note()
	for {
		var r muster.Receipt
		from := client(p)
		if from == nil {
			if !pause(ctx, retryPause) {
				c.GivenUp = time.Now()
				return
			}
			continue
		}
		c.Attempts++
		begun := time.Now()
		got, err := w.ledger.note.Call(ctx, from, o.Aggregate, in, muster.CommandID(o.ID), muster.ReceiptTo(&r), muster.Timeout(w.settings.slow(callTimeout)))
		switch {
		case err == nil:
			c.Answered, c.Revision, c.Position, c.Answer, c.Mark = time.Now(), r.Revision, r.Position, got.clear(), got.Mark
			w.answers.add(answer{c.ID, c.Aggregate, false, begun, c.Answered, got.tally})
			return
		case ctx.Err() != nil:
			c.GivenUp = time.Now()
			return
		case !again(err):
			c.Refused = true
			if muster.CodeOf(err) == muster.FailedPrecondition && w.withheld(o, begun) {
				c.GivenUp = time.Now() // the sender refuses it, too, and does not know what became of attempts from before
				return
			}
			c.Answered = time.Now()
			if !o.Refuse && !o.Panic {
				w.fault("command %s of %s was refused without a reason: %v", o.ID, p.name, err)
			}
			return
		}
		if !pause(ctx, retryPause) {
			c.GivenUp = time.Now()
			return
		}
	}
}

// ask sends a query until it is answered.
func (w *world) ask(ctx context.Context, p *process, o Operation) {
	q := history.Query{Caller: p.name, ID: o.ID, Aggregate: o.Aggregate, Asked: time.Now()}
	for ; ctx.Err() == nil; pause(ctx, retryPause) {
		from := client(p)
		if from == nil {
			continue
		}
		begun := time.Now()
		got, err := w.ledger.look.Call(ctx, from, o.Aggregate, look{}, muster.CommandID(o.ID), muster.Timeout(w.settings.slow(callTimeout)))
		switch {
		case err == nil:
			q.Answered, q.Revision, q.Answer = time.Now(), got.Revision, got.String()
			w.log.Ask(q)
			w.answers.add(answer{q.ID, q.Aggregate, true, begun, q.Answered, got.tally})
			return
		case muster.CodeOf(err) == muster.FailedPrecondition && w.withheld(o, begun): // it shows what is just being erased
			return
		case ctx.Err() == nil && !again(err):
			w.fault("query %s of %s was refused: %v", o.ID, p.name, err)
			return
		}
	}
	w.fault("I10: query %s of %s was never answered", o.ID, p.name)
}

// client gives that of a caller's life of now, or nil where it is being started again.
func client(p *process) *muster.Client {
	if l := p.current(); l != nil {
		return l.Client()
	}
	return nil
}

// again tells whether a caller that sends the same id again may get an answer yet.
func again(err error) bool {
	return errors.Is(err, muster.ErrOutcomeUnknown) || errors.Is(err, muster.ErrExpired) || muster.CodeOf(err) == muster.Unavailable
}
