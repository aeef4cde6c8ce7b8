package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/internal/history"
)

// read has everything that is sealed in a record opened, as far as it can be when all erasures are over: so it can be held against folds. What it finds
// of people on the way are probes.
func (w *world) read(ctx context.Context, r *history.Record) error {
	codec, done, err := w.reader(ctx)
	if err != nil {
		return err
	}
	defer done()
	begun := time.Now().Add(w.settings.slow(grace)) // it has no key to forget, so it is as sure of what is gone as others are then
	for _, events := range r.Journal.Events {
		for i := range events {
			if err := w.readEvent(codec, &events[i], begun); err != nil {
				return fmt.Errorf("event at %v: %w", events[i].Position(), err)
			}
		}
	}
	byAggregate := r.Journal.ByAggregate()
	for i := range r.Stored {
		s := &r.Stored[i]
		for j := range s.States {
			if err := w.readState(codec, s, &s.States[j], byAggregate[s.States[j].AggregateID], begun); err != nil { //nolint:contextcheck // a codec is given none
				return fmt.Errorf("state of %s at %s: %w", s.States[j].AggregateID, s.Owner, err)
			}
		}
	}
	return nil
}

func (w *world) readEvent(codec *crypto.Codec, e *muster.Event, begun time.Time) error {
	got, err := w.ledger.noted.Decode(codec, e)
	if err != nil {
		return err
	}
	written := w.people.event(e, nobody)
	w.probe(e.AggregateID, fmt.Sprintf("the body of the event at %v", e.Position()), begun, time.Now(), got.Body, written.Body)
	w.probe(got.Witness, fmt.Sprintf("the word of the event at %v", e.Position()), begun, time.Now(), got.Word, written.Word)
	e.Payload, err = json.Marshal(got)
	e.ContentType = muster.ContentJSON
	return err
}

// recall has each caller open the events once more, with whatever keys it remembers.
func (w *world) recall(ctx context.Context, j *history.Journal) error {
	for !w.erasures.sure(w) {
		if !pause(ctx, retryPause) {
			return ctx.Err()
		}
	}
	for c := range clients {
		l := w.process(callerName(c)).current()
		if l == nil {
			return errDown
		}
		for _, events := range j.Events {
			for i := range events {
				e := events[i] // as it is, sealed
				err := persist(ctx, func() error { return w.readEvent(l.codec, &e, time.Now()) })
				if err != nil {
					return fmt.Errorf("%s cannot read the event at %v: %w", callerName(c), e.Position(), err)
				}
			}
		}
	}
	return nil
}

// readState opens a stored state. What was derived of people is there until the erasure has reached these rows, which is noted with them.
func (w *world) readState(codec *crypto.Codec, s *history.Stored, state *muster.StoredState, events []muster.Event, begun time.Time) error {
	var got tally
	name := w.ledger.group.Name()
	place := muster.Place{Purpose: muster.PurposeState, Group: name, Type: name, AggregateID: state.AggregateID, Revision: state.Revision}
	if err := codec.Decode(place, state.Data, &got); err != nil {
		return err
	}
	events = events[:min(int(state.Revision), len(events))]
	written, where := w.people.fold(events, nobody), fmt.Sprintf("the state of %s at %s", state.AggregateID, s.Owner)
	w.probe(state.AggregateID, where+", body", begun, time.Now(), got.Body, written.Body)
	w.probe(got.Witness, where+", word", begun, time.Now(), got.Word, written.Word)
	for subject := range w.people.subjects[state.AggregateID] {
		if e := w.erasures.of(subject); e != nil && !slices.Contains(w.noted[s.Owner][s.Partition], e.id) {
			got.Trace = w.people.fold(events, w.erased).Trace
		}
	}
	var err error
	state.Data, err = json.Marshal(got)
	return err
}

// settle makes an answer of what was refused for somebody's erasure, where that was the owner's word and nobody else had another one.
func settle(r *history.Record) {
	others := map[string]bool{}
	for i := range r.Calls {
		if c := &r.Calls[i]; !c.Refused || !c.Answered.IsZero() || c.Attempts > 1 {
			others[c.ID] = true
		}
	}
	for i := range r.Calls {
		if c := &r.Calls[i]; !others[c.ID] && len(r.Commands[c.ID]) > 0 {
			c.Answered = c.GivenUp
		}
	}
}
