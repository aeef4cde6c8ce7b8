package muster

import (
	"fmt"
	"time"
)

// TrimMark says that events of one partition were removed from its journal behind a snapshot. It lies in the journal, in front of the
// tombstones of each transaction that removes some; the last one counts.
//
//	what is missing of the journal lies before Before;  of each aggregate it is the oldest commands, never the last one
type TrimMark struct {
	Partition int32
	Before    int64     // journal offset behind the last event that was removed
	Pass      int64     // Journal of the [SnapshotPass] that covers what was removed
	Snapshots int64     // offset of the snapshots topic; what covers the removed events lies before it, or has been replaced since
	Time      time.Time // when it was written
}

// EventKey names one event of a journal.
type EventKey struct {
	AggregateID string
	Revision    uint64
}

// RevisionGap is the cause of a [FoldFault] whose event does not follow the state it is folded into. Where Revision is higher, events are
// missing between: they were trimmed, were lost, or never were.
type RevisionGap struct {
	Revision uint64 // of the event
	After    uint64 // of the state
	Behind   int64  // journal offset of the last event in the state; -1 when there is none
}

// Error gives both revisions.
func (g *RevisionGap) Error() string {
	return fmt.Sprintf("revision %d follows revision %d; has anybody else written to the journal?", g.Revision, g.After)
}
