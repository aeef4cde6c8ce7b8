package projector

import "time"

// State says what a shard is doing.
type State string

// The states of a shard.
const (
	Claiming   State = "claiming"    // it is being taken from the target
	CatchingUp State = "catching-up" // it applies, and was never at the end of the journals since it was claimed
	Live       State = "live"        // it applies what comes
	Retrying   State = "retrying"    // an event failed and is tried again after a pause
	Away       State = "away"        // the target or the brokers cannot be reached; tried again
	Paused     State = "paused"      // an operator wants it so
	Stopped    State = "stopped"     // it cannot go on; Reason and Error say why
)

// The reasons of a stopped shard that are not those of an event.
const (
	ReasonAhead     = "ahead-of-journal" // the checkpoint is not in the journal: it was cut, or an older copy of it came back
	ReasonRecreated = "topic-recreated"  // the journal is not the one the checkpoint belongs to
	ReasonStore     = "store"            // the target cannot be used; of a stopped shard: and trying again will not help
	ReasonJournal   = "journal"          // the brokers cannot be reached
	ReasonFenced    = "fenced"           // another instance has claimed the shard
	ReasonErasing   = "erasing"          // what is to be done for an erased subject failed; it is tried again
	ReasonLetters   = "letters-full"     // so much lies aside that no more is put there, see Config.MaxLetters
	ReasonSkipped   = "skipped"          // of a letter: an operator had the event skipped
)

// Status is what one instance says of one shard.
type Status struct {
	Projection string // name@version
	Shard      int32
	Generation int
	Instance   string
	State      State
	Reason     string    // of Retrying, Away and Stopped: a stable word
	Error      string    // its text; not for logs where it comes from a function
	At         string    // the position of the event in hand, where one fails
	Since      time.Time // of the state
	Checkpoint []Checkpoint
	Lag        int64         // records not applied yet, markers included; 0 when caught up
	LagTime    time.Duration // age of the oldest event not applied, as far as known; 0 when caught up
	Rate       float64       // events a second, over the last 10 s
	ETA        time.Duration // until caught up at that rate; 0 when caught up, negative when not known
	Parked     int           // keys
	Letters    map[Kind]int
	Applied    uint64 // events since this instance got the shard
	Acts       int64  // number of the last act of an operator that is done
	Standby    bool   // a warm copy, which does not serve unless asked for stale rows; see Standbys
}
