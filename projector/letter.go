package projector

import (
	"time"

	"github.com/seed-3eec0498/muster"
)

// Kind says why an event was put aside.
type Kind string

// The kinds of letters.
const (
	Parked  Kind = "parked"  // it failed, and its key waits
	Waiting Kind = "waiting" // it waits behind a parked event of its key
	Skipped Kind = "skipped" // it failed and was left out; later events of its key went on
)

// Letter is an event that was put aside, with its cause. It lies in the target, beside the rows and the checkpoint.
type Letter struct {
	ID       string // of the letter: the event's position; unique in a shard
	Kind     Kind
	Key      string // see KeyBy; valid UTF-8 without a zero byte, as every text here
	Reason   string // see ReasonHandler; empty for Waiting
	Cause    string // the text of the last failure, at most 4 KiB; may hold what the function put into it, so it is shown and never logged
	Attempts int    // runs of the function
	At       time.Time
	Event    muster.Event // as in the journal, the payload as it was sealed there, without the stored answer; of a bad record the position alone
}
