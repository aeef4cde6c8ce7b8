package projector

import (
	"context"
	"errors"
)

// Target is where the results of a projection go, and with them its checkpoints and letters: the view store, a database, a topic. It is used by
// several goroutines at once, but each [Holding] by one.
type Target interface {
	// Claim takes a shard for this instance: from when it has returned, commits of whoever held it before fail with ErrFenced, as far as the
	// target is shared with other instances. The error is one of the store; it is tried again.
	Claim(ctx context.Context, shard Shard) (Holding, error)
	// Drop removes everything of a shard: rows, checkpoints, letters.
	Drop(ctx context.Context, shard Shard) error
}

// Generations is a [Target] that keeps the generations of a shard apart, so that a rebuild goes on beside what serves. With any other, a new
// generation takes the place of the one before: a claim of it begins with nothing, and one of an older generation fails with ErrFenced from then
// on.
type Generations interface {
	Target
	// KeepsGenerations does nothing.
	KeepsGenerations()
}

// Holding is one shard in the hands of this instance.
type Holding interface {
	// Stored gives what is there: the checkpoints, without those of sources that have none, and the letters of every kind.
	Stored(ctx context.Context) (Stored, error)
	// Begin starts a batch. One is open at a time.
	Begin(ctx context.Context) (Batch, error)
	// Release gives the shard up: what is stored stays, and no commit of this holding takes effect any more. It is called once, and by another
	// goroutine where a function that ignores its context still works with the Tx of an open batch: that batch is given up with it, as far as that
	// can be done beside the function, and must never commit.
	Release()
}

// Stored is what a target keeps for the runner.
type Stored struct {
	Checkpoints []Checkpoint
	Letters     []Letter // in the order they were put aside
	Acts        int64    // see Change.Acts
}

// Batch is one transaction of a target.
type Batch interface {
	// Tx gives what [Into.Hand] makes the functions' T of.
	Tx() any
	// Before announces the event whose function is run next. What e points to is valid until that function has returned.
	Before(e *Running)
	// Commit makes everything durable together, or nothing: what functions wrote through Tx, and the change. ErrFenced: another instance has
	// claimed the shard. After any other error the outcome may be unknown: the runner claims anew and reads what is stored.
	Commit(ctx context.Context, change Change) error
	// Rollback drops everything. After a Commit it does nothing.
	Rollback()
}

// Running tells a target which event is in hand.
type Running struct {
	Shard Shard
	Key   string // see KeyBy
	// ID is the same for every run of the function for this event in this projection, also after a rebuild: a key for what others deduplicate by.
	ID string
	// Replayed says that the event was there before the rebuild began, so effects outside are muted.
	Replayed bool
	// Personal tells whether payloads of a value's type hold personal data, which must not leave in clear; nil: nothing is held back.
	Personal func(v any) bool
}

// Change is what the runner adds to a batch.
type Change struct {
	Checkpoints []Checkpoint // of the sources that moved
	Put         []Letter     // new, or changed: same ID
	Remove      []string     // ids of letters
	Acts        int64        // number of the last act of an operator that is done, see Control; 0: as stored
}

// ErrFenced says that another instance has claimed the shard.
var ErrFenced = errors.New("projector: another instance holds the shard")

// ErrUnfit is wrapped by a target's error that does not go away by trying again, such as a store of a newer format or a damaged one. The shard
// stops with [ReasonStore].
var ErrUnfit = errors.New("projector: the target cannot go on with what is stored")
