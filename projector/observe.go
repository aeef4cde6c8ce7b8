package projector

import "time"

// Observe hears what a [Runner] does; each field may be nil. The functions are called in line by the goroutine of a shard: they return at once.
// Who waits for an event, as [Runner.Await] does, goes on when Applied has returned.
type Observe struct {
	Applied   func(Applied)   // a batch is durable
	Failed    func(Failed)    // a function failed, or an event could not be handled; each try
	PutAside  func(PutAside)  // a letter is durable
	Ignored   func(Ignored)   // an event of an unknown type was passed over
	Changed   func(Status)    // a shard came into another state
	Fault     func(Fault)     // the target or the brokers failed; it is tried again
	Abandoned func(Abandoned) // a function has not returned in time and is left behind
	Released  func(Shard)     // the shard is given up
	Anew      func(Anew)      // what is stored of a shard does not fit the journal and is dropped now, see [OnUnfit]
}

// Applied is one batch that was committed.
type Applied struct {
	Shard  Shard
	Events int           // functions that ran
	Passed int           // events nobody wanted
	Took   time.Duration // from its beginning to the end of its commit
}

// Failed is one run that failed.
type Failed struct {
	Shard  Shard
	Source Source
	Offset int64
	Type   string
	Reason string // see ReasonHandler
	Try    int
}

// PutAside is an event that became a letter.
type PutAside struct {
	Shard  Shard
	Kind   Kind
	Reason string
}

// Ignored is an event of an unknown type.
type Ignored struct {
	Shard Shard
	Type  string
}

// Fault is one of the target or the brokers.
type Fault struct {
	Shard  Shard
	Reason string // ReasonStore, ReasonJournal or ReasonFenced
	Err    error
}

// Abandoned is a function whose goroutine is left behind.
type Abandoned struct {
	Shard  Shard
	Type   string // of the event in hand; empty where it was no function that did not return
	Reason string // ReasonDeadline, or "released" where the shard went elsewhere
}
