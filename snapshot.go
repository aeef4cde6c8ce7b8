package muster

import "time"

// SnapshotPass says how far the snapshots of one partition are complete. It is written behind the states it speaks of.
//
//	every aggregate whose last event lies before Journal has that state, or a later one, in the snapshots topic
//	LastAt < Journal;  Answers <= Journal
//
// Who has no state of its own loads the snapshots, reads the journal from Answers on to remember the commands, and folds it from Journal on.
type SnapshotPass struct {
	Partition int32
	Journal   int64 // journal offset
	Answers   int64 // journal offset of the oldest event whose command is remembered; Journal when there is none

	LastEvent string   // id of the last event before Journal; empty when there is none
	LastAt    int64    // its journal offset; -1 when there is none
	TopicID   [16]byte // of the journal topic; zero when the broker gave none

	States int       // how many aggregates have a state
	Time   time.Time // when it was written
}
