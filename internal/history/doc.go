// Package history decides afterwards, from what was recorded, whether a run kept its promises. Workload and faults go their way; every
// caller writes down what it saw; at rest the journal is dumped; then [Check] compares the two.
//
// The checks have the names of the invariants they hold:
//
//	I1  an acknowledged command is in the journal, at the position its answer names
//	I2  each command takes effect at most once: its events are complete, contiguous, and there once
//	I3  the revisions of an aggregate are 1..n in log order, no gap, no repeat
//	I4  who had an answer before another command was sent has the lower revision; every repeat has the first answer
//	I9  a refused command left no event
//
// What needs the meaning of payloads, the fold (I5) and markers (I8), is for the test whose contract it is: [Journal.Events] gives the log.
package history
