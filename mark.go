package muster

import "time"

// MarkKind says what became of a dead letter. The words are part of the wire format.
type MarkKind string

// What can become of a dead letter.
const (
	MarkReplayed MarkKind = "replayed" // it was sent again, and answered or refused, or has become a newer dead letter
	MarkDropped  MarkKind = "dropped"  // somebody decided that it is not to be done
)

// DeadLetterMark is a record behind a dead letter in its partition that says what became of it. A letter without one is open.
type DeadLetterMark struct {
	Letter      Position // of the dead letter, in the same topic and partition
	Kind        MarkKind
	CommandID   string
	AggregateID string
	Time        time.Time
	By          string // service and instance that wrote it
	Note        string // for people, at most 4 KiB
}
