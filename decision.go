package muster

import (
	"context"
	"errors"
	"time"
)

// Batch is what a lane works on at once: commands in log order per partition, and the time they are decided at.
type Batch struct {
	Commands []Command
	Now      time.Time // the owner's clock, never earlier than in the batch before
	Attempt  int       // 1, and one more after each aborted commit

	// Progress says, per partition of the batch, what was consumed before it. A partition left out has nothing waiting.
	Progress []Progress
}

// Reply is an outcome on its way to who asked.
type Reply struct {
	To        ReplyTo
	CommandID string
	Outcome   *Outcome
	Meta      *Meta // of the command; for correlation and trace headers

	// Deadline is that of the command, where the outcome holds for this sending of it only: a later one under the same id is executed, and may
	// end otherwise. Zero where every sending gets this outcome.
	Deadline time.Time
}

// Progress says up to where the commands of a partition are consumed: all below Next but the waiting ones.
//
//	Waiting is sorted, and every Waiting[i] < Next
type Progress struct {
	Partition int32
	Next      int64   // offset of the next command to read
	Waiting   []int64 // offsets of the commands that wait for another try, at most [MaxWaiting]
}

// Decision is what one batch leads to. Events, dead letters, written commands and offsets are one transaction.
type Decision struct {
	Group    *Group
	Events   []Event // in log order per partition; [Sink.Commit] sets their Topic and Offset
	Dead     []DeadLetter
	Commands []Written  // in the order of the commands whose handlers wrote them
	Offsets  []Progress // sorted by partition
}

// Writes tells whether the decision needs a transaction; where it writes nothing, a plain offset commit does.
func (d *Decision) Writes() bool { return len(d.Events)+len(d.Dead)+len(d.Commands) > 0 }

// Sink makes decisions durable.
type Sink interface {
	// Commit writes events, dead letters and commands and moves the consumed offsets, all or nothing. After nil every in-sync replica has
	// them, any read_committed reader may see them, and the events carry their offsets. The errors are these three, wrapped:
	// [ErrAborted]: nothing happened, decide again from stored state. [ErrFenced]: a partition has a new owner, drop its
	// overlay. [ErrUnknown]: cannot be told; the events carry the offsets that they have if it was committed. Find out by what is
	// consumed, and read the journal again, before anything else is decided. One call at a time; d is not kept.
	Commit(ctx context.Context, d *Decision) error
}

// What a [Sink] answers when it did not commit.
var (
	ErrAborted = errors.New("transaction aborted")
	ErrFenced  = errors.New("fenced: a partition of the batch has a new owner")
	ErrUnknown = errors.New("transaction outcome unknown")
)

// RecordFault is the part of an [ErrAborted] that names one message as the culprit: it can never be written. The batch is decided
// again with that command refused. There may be several, see [RecordFaults].
type RecordFault struct {
	CommandID string // of the command that led to the record
	Partition int32  // where that command lies
	Target    string // the group whose command topic cannot be written to; empty where the record itself is the trouble
	Cause     error
}

// RecordFaults finds all of them in the error of a commit.
func RecordFaults(err error) []*RecordFault {
	switch e := err.(type) { //nolint:errorlint // every branch of the tree is wanted, not the first match
	case nil:
		return nil
	case *RecordFault:
		return []*RecordFault{e}
	case interface{ Unwrap() error }:
		return RecordFaults(e.Unwrap())
	case interface{ Unwrap() []error }:
		var all []*RecordFault
		for _, one := range e.Unwrap() {
			all = append(all, RecordFaults(one)...)
		}
		return all
	}
	return nil
}

// Error names the partition and the cause.
func (f *RecordFault) Error() string { return "a record cannot be written: " + f.Cause.Error() }

// Unwrap gives the cause.
func (f *RecordFault) Unwrap() error { return f.Cause }

// StoredState is one aggregate as it lies in the store.
type StoredState struct {
	AggregateID string
	Revision    uint64 // of the last event folded in; 0: there is none
	Offset      int64  // journal offset of that event
	Data        []byte // the encoded state; nil where Revision is 0
	// Subjects are those who have data in the events folded in, or in the state, or had it there in clear when they were erased; nil where nothing is
	// sealed. The last Unindexed of them are not in the store's index of subjects yet; 0 in what a store gives.
	Subjects  []SubjectRef
	Unindexed int
}

// Remembered is one command id with its outcome, for dedup.
type Remembered struct {
	CommandID   string
	Fingerprint uint32
	Revision    uint64 // of the aggregate after the command
	Offset      int64  // journal offset of the command's last event; -1 when it wrote none
	Time        time.Time
	Outcome     []byte // encoded, without revision and position; nil when it was too large to keep
}

// Changes is what one batch, or one stretch of the journal, changes in the store of one partition. It is stored as one atomic write.
//
//	every States[i].Offset < Next;  Next <= high watermark of the journal partition
type Changes struct {
	Partition int32
	States    []StoredState
	Answers   []Remembered
	Next      int64     // journal offset next to read
	LastEvent string    // id of the last event applied; empty leaves the stored one
	LastAt    int64     // its journal offset
	Time      time.Time // of the batch, for the age of what is stored and the dedup window
}

// States is the local state of the owned partitions. It holds what is committed and nothing else, and may be lost at any time.
type States interface {
	// Load gives the stored state of an aggregate; Revision 0 when there is none. Safe for concurrent use. Data must not be changed.
	Load(partition int32, aggregateID string) (StoredState, error)
	// Answered gives what is remembered of a command id, and false when nothing is. Safe for concurrent use.
	Answered(partition int32, commandID string) (Remembered, bool, error)
	// Store writes all changes, each partition's atomically, in order. It need not be on disk when Store returns: after a loss an
	// earlier state is found, and the journal is read again from there.
	Store(ctx context.Context, changes []Changes) error
}
