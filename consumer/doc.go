// Package consumer brings the commands of the owned partitions to the engine, and reads journals and replies.
//
// # One command, from its topic to the engine
//
// [Consumer.Run] is a static member of the owner's consumer group and subscribes to the command topic only: who owns command partition p
// writes journal partition p. When the group gives p to this member, kgo fetches its committed offset; that fetch waits for every
// transaction that can still move it. Only then a [Change] with p under Assigned is handed out, and p is fetched from that offset on. The one
// goroutine that polls files each record in the buffer of its partition and does nothing else. The engine meanwhile recovers the state of p
// from the journal, with [EndOffsets] and [ReadJournal], and calls [Change.Serve]. From then on [Consumer.Poll] hands out what is in the
// buffer, decoded by the goroutine that asked, as a [Work] of the lane p is in: everything that has arrived, up to a bound. The engine
// decides, asks [Consumer.Claim] as whom to commit, commits, and calls [Work.Done]; what was not finished is handed out again, first.
//
// # Commands that wait
//
// What the engine says waits for another try ([Work.Wait]) is kept in memory, in lines of one aggregate each (later.go), and handed out when
// its time has come, before anything new. What comes for such an aggregate meanwhile is marked as Behind. The committed offset with its
// metadata says which commands wait ([Work.Progress]); at an assignment they are picked out of the log again, and what lies between them is
// passed over (progress.go). A lane that has nothing else to do sleeps until the first one is due.
//
// # A rebalance
//
//	revoked   no further Work has p; the engine finishes what it has in hand, drops its overlay, calls Done; p goes when Done is called
//	lost      p has gone already: Claim says ErrFenced, Done of a Work does nothing
//	assigned  a new ownership, with an empty buffer, which has to be served anew; nothing of the earlier one reaches it
//
// Partitions that stay are not disturbed (cooperative-sticky): their Work goes on through a rebalance. The poll loop stands still while a
// revocation waits for Done, so buffers are not filled then.
//
// # What may go wrong, and where it is decided
//
//   - A former owner that does not know it yet: membership.go says why the member id and generation of a Claim cannot be newer than the
//     right to a partition.
//   - An offset that is not in the log: rebalance.go before the first fetch, faults.go later. Never skipped in silence.
//   - A batch that decompresses to too much: kgo stops reading the partition. One command with a Fault takes the batch's place, so that the
//     engine refuses it, commits, and goes on behind it (faults.go).
//   - More commands than the engine takes: fetching of a full partition pauses, that of the others goes on (assignment.go).
//   - A partition nobody was assigned: the members force a rebalance (members.go).
//
// # Who runs what
//
// The goroutine of Run polls. It starts two more, one that delivers changes and one for what is done at intervals, and joins both before it
// returns. The callbacks of rebalances run on kgo's goroutine. Decoding, deciding and committing run on those of the engine, one per lane.
//
// # Replies
//
// [ReplyReader] reads one partition of a service's reply topic, without a group, from the end it had when [OpenReplies] returned.
//
// # Subscriptions
//
// [OpenSubscriber] fixes where the reading of a journal starts; [Subscriber.Run] polls, with a consumer group or without, and each partition
// has a goroutine that delivers its events one after another (follower.go). A full buffer pauses the fetching of its partition. What is done is
// committed to the group twice a second, before a partition is given up, and at the end (places.go). [ReadDeadLetters] reads the dead
// letters of a group and the marks that say what became of them.
//
// # Projections
//
// [Feeds] reads journals for projections: one goroutine polls and files records by partition, and who calls [Feed.Next] decodes them. Partitions
// come and go between two polls, never during one. [Sharing] shares the partitions by a consumer group that fetches nothing, and [Table] is
// the compacted topic by which instances agree.
package consumer
