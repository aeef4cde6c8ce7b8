// Package history decides afterwards, from what was recorded, whether a run kept its promises. Workload and faults go their way; every
// caller writes down what it saw; at rest everything is dumped; then a [Record] is checked. A check touches nothing that runs.
//
// The checks have the names of the invariants they hold. Those whose dumps a record does not have are not made; [Record.Invariants] says
// which are.
//
//	I1   an acknowledged command is in the journal, at the position its answer names; the offset of one without events is consumed
//	I2   each command takes effect at most once: its events are complete, contiguous, and there once
//	I3   the revisions of an aggregate are 1..n in log order, no gap, no repeat; compaction takes only what a tombstone names
//	I4   who had an answer before another command was sent has the lower revision; every repeat has the first answer
//	I5   what an owner has stored is the fold of the journal up to its offset, byte for byte
//	I6   queries are linearizable together with the commands of their aggregate
//	I7   a view at rest is the fold of the journal, and its checkpoint is not ahead of its rows
//	I8   nothing lies or arrives under another tenant, aggregate, partition or command than its payload names
//	I9   a command that was refused or has a dead letter left no event
//	I10  when the faults have ended every call ends in time, nothing lags and no goroutine is left
//	I11  what is secret appears nowhere in clear
//	I12  nothing of an erased subject opens, and what others have is unchanged
//
// [Check] makes those that need the calls and the journal only.
package history
