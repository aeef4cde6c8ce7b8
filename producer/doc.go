// Package producer makes decisions durable: the transactional commit of a lane, and the plain sending of commands and replies.
//
// # One decision, from end to end
//
// The engine hands a [muster.Decision] to [Lane.Commit]. The lane asks its [Claimer] under which membership the consumed partitions are
// held, and takes the next of its slots: each slot is one transactional producer with an id of its own. It begins a transaction, writes the
// events and dead letters leader after leader, each leader's acknowledgement awaited before the next is written to, then sends the consumed
// offsets with member and generation (TxnOffsetCommit), awaits the answer, and only then ends the transaction. When the coordinator has
// answered, the outcome is decided and replicated; the events get their offsets and Commit returns nil. A decision that writes nothing is
// one plain OffsetCommit, checked for the generation alike.
//
// # Why slots rotate
//
// After EndTxn is answered the broker still writes the transaction's markers, and makes the next transaction of the same id wait for them,
// 20 ms at a time. The next batch therefore uses the next id. This is safe because a lane is serial:
//
//	a slot ends its transaction  =>  every earlier transaction of the lane is known committed or known aborted
//
// [Lane.Commit] asserts it. Why leaders are written one after another has the same root: two leaders that register with the transaction
// coordinator at the same time cost another 20 ms.
//
// # If something fails
//
//	before EndTxn is sent        nothing can become visible: the transaction is aborted, Commit answers ErrAborted
//	the group refuses the claim  aborted; ErrFenced when the partitions have a new owner, ErrAborted when only the generation moved on
//	another producer has the id  the client is replaced, which takes the id back: ErrAborted; twice in a row: ErrFenced
//	EndTxn without an answer     ErrUnknown; the id is initialised again, which settles the transaction one way or the other
//	no broker within the bound   ErrAborted or ErrUnknown as above; the next Commit settles the id before it does anything else
//
// # If the process dies
//
// What it had open is aborted by its successor of the same instance name: [Open] initialises every id the lanes may use. Leftovers of an
// instance that does not come back are aborted by whoever takes its partitions over, with [Producer.FenceLeftovers], or by the transaction
// timeout.
//
// # If the cluster forgets a transaction
//
// Where a partition has no leader when the coordinator writes the markers, Apache Kafka leaves a committed transaction open there for good.
// A slot therefore looks whether its last transaction is over before it writes over a new connection, after a rest, and before an id is
// initialised, and ends it as it was decided; see [Hanging].
//
// # Commands and replies
//
// [Sender] is an idempotent producer without transactions. It puts commands into the partition that Kafka's default partitioner would
// choose, checks once that the topic has the partition count of the contract, and sends replies without waiting for them.
package producer
