// Package projector turns journals into something to query: views, SQL read models, effects. What a user writes is a projection: functions for the
// events of one or more groups. The package runs them, keeps what they make together with how far they are, and heals.
//
// # One event, from end to end
//
// A [Membership] gives this instance a shard, which is partition p of every group the projection reads, or everything where it is [Replicated].
// The runner claims it at the [Target], which fences whoever held it before, and gets its checkpoints. The [Journal] is read from there, and
// its [Feed] delivers committed events in log order. A batch of them is opened at the target, the functions write through it, and one commit
// makes their rows, the checkpoint and whatever was put aside durable together. There is no moment at which one is there without the others.
//
// # When an event fails
//
// The batch is rolled back, what was before the event is applied again and committed, and the event is tried alone, by its [Policy]: again
// after a pause, then its key is parked, the event is skipped with a dead letter, or the partition stops. A fault of the store or the database
// is never charged to an event: the shard waits for it.
//
// # Views
//
// A [View] is kept by the toolkit itself, in the [Store] of the process. Its functions get [Rows], which hold what the batch has made so far: reads
// see what was written before, and a row that many events change is read and encoded once. Commit writes rows, index entries, counters,
// checkpoints and letters as one Pebble batch. The store is the [Reader] of what is held here: each answer comes from one snapshot and says
// up to where its rows were made.
//
// # If the process dies
//
//	before Commit    nothing happened; the events come again, to whoever claims the shard
//	during Commit    unknown; the next claim reads what is stored, and goes on from there
//	after Commit     it is there, and its events do not come again
//
// A view and an SQL read model are exact after any crash; effects outside happen at least once. A process that was only taken for dead is fenced by
// the next claim: what it commits after that is refused.
//
// # Who does what
//
// [Runner] has one goroutine per held shard, its worker: it claims, follows the feed, runs functions, commits, sees to the orders of operators, and
// answers who asks for letters. Beside the workers run the membership, a watcher of the control table, a reporter of states, and one watchdog for the
// functions of all shards: it ends the context of one that takes too long. One that does not heed this is abandoned with its goroutine: its holding
// is released, so that it can commit nothing, and the shard stops for all to see, or goes where it is to go. [Operator] writes orders into the
// [Control] table; each shard does them in order and commits the number of the last one with its effect, so that each takes effect once.
package projector
