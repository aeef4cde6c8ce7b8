package service

import (
	"time"

	"github.com/seed-3eec0498/muster"
)

// LetterState says what has become of a dead letter.
type LetterState string

// The states of a dead letter. A filter's empty one means LetterOpen.
const (
	LetterOpen     LetterState = "open"     // nothing was done about it
	LetterReplayed LetterState = "replayed" // it was sent again; when that failed there is a newer letter
	LetterDropped  LetterState = "dropped"  // somebody decided that it is not to be done
	LetterAny      LetterState = "any"      // for filters only
)

// Letter is a dead letter as it lies in its topic, with what became of it.
type Letter struct {
	muster.DeadLetter // the command with its payload and headers as they arrived, why it was given up, and when

	At      muster.Position        // of the letter; it is its name
	State   LetterState            //
	Mark    *muster.DeadLetterMark // who decided about it, and when; nil while open
	Omitted string                 // what did not fit into the letter, such as "value=62914560"; empty: it is whole

	// Unreadable is why the record cannot be read as a dead letter; all else but At and State is empty then.
	Unreadable error
}

// LetterFilter chooses dead letters; those that fit all of it. The zero value chooses every open one.
type LetterFilter struct {
	Reason      string // of the cause, such as [muster.ReasonPanic]
	Type        string // of the command
	AggregateID string
	CommandID   string
	Since       time.Time   // given up at this time or later
	Before      time.Time   // given up before this time
	State       LetterState // empty means LetterOpen
}

func (f *LetterFilter) fits(l *Letter) bool {
	state := f.State
	if state == "" {
		state = LetterOpen
	}
	switch {
	case state != LetterAny && l.State != state,
		f.Reason != "" && l.Cause.Reason != f.Reason,
		f.Type != "" && l.Command.Type != f.Type,
		f.AggregateID != "" && l.Command.AggregateID != f.AggregateID,
		f.CommandID != "" && l.Command.ID != f.CommandID,
		!f.Since.IsZero() && l.Time.Before(f.Since),
		!f.Before.IsZero() && !l.Time.Before(f.Before):
		return false
	}
	return true
}
