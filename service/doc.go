// Package service puts the parts of the toolkit together into a process: the client, and the engines of the groups it owns, on Kafka and on
// a local store.
//
//	svc, err := service.Open(ctx, service.Config{Name: "bank", Brokers: brokers, DataDir: dir}, accounts)
//	go func() { ended <- svc.Run(ctx) }()
//	state, err := bank.Deposit.Call(ctx, svc.Client(), "acc-1", bank.Deposit{Amount: 250})
//
// A service opened with an aggregate owns that aggregate's group, together with all replicas of the same name; one opened without parts
// owns nothing and has its client. All replicas of a service share [Config.Name], and each has an instance name and a data directory of
// its own.
//
// # Open
//
// [Open] checks what can be checked without asking anybody, then the brokers, then the topics, which it creates where they are missing
// and refuses where they are not as they must be, then the data directory, which belongs to one process at a time. It fixes the place in
// the reply topic from which answers are read, so that no answer to a call of this process can be missed. Nothing runs yet: a call made
// now waits for [Service.Run].
//
// # Join
//
// Run reads replies and joins the consumer group of each owned group. What a rebalance changes arrives as a value, in order: partitions
// that are new, partitions on their way to another instance, partitions that are lost. A partition that was assigned begins a tenure; it
// ends when the partition is revoked or lost or the service stops, and with it ends everything that is done for the partition.
//
// # Recover
//
// A tenure begins with reading. The local store knows how far it has folded the journal, and which event was the last one; the journal is
// asked whether that is still true, and the rows are dropped where it is not. A partition that has no rows takes the states of the snapshots topic as
// its base; so does one whose rows are behind what [Service.Trim] has removed, and it stops where there is no base. Then the journal is folded up to its high watermark, past
// whatever a dead owner has left undecided, and only then does the partition serve. A record that cannot be folded stops its partition
// and no other: [Service.Status] has the cause, [Service.Healthy] names it, and it stays so until somebody mends the cause.
//
// # Lanes
//
// Partitions whose journal is led by the same broker share a lane, and a lane is one loop:
//
//	poll      everything that has arrived for the lane's partitions since the last time
//	decide    one slice after another; aggregates side by side, the commands of one aggregate in their order
//	commit    events, dead letters and consumed offsets as one Kafka transaction, of the next of the lane's slots
//	store     states and answers in the local store, as one atomic write
//	reply     to whoever asked: who holds a reply holds a fact
//
// What happens between two steps, and what becomes of the command then:
//
//	revoked before the commit     the batch is put down; the next owner decides it
//	the commit was refused        the batch is decided again, without the command whose events no broker will take
//	the commit was not answered   its partitions are read again: the journal knows
//	the store failed              likewise; the events are facts, so the replies go out
//	another writer was noticed    likewise; either there were only foreign records, or the partition stops
//
// A handler that runs longer than [Config.HandlerDeadline] is given up: its command is refused, the other aggregates go on. The goroutine in
// it ends when the handler does.
//
// # Subscriptions and dead letters
//
// A [muster.Subscription] among the parts reads a group's events for as long as Run works; [Service.Subscribe] does so for as long as its
// caller likes. [Service.AwaitEvent] waits for one event. [Service.DeadLetters] lists the commands of a group that could not be processed,
// sends them again in their order, or drops them. None of these needs to own the group.
//
// # Drain
//
// When the context of Run ends, the lanes take nothing new, finish what they have in hand and commit it; the partitions are released, the
// group is left, so that the others need not wait for this instance, and calls that still wait are told that the service shuts down. All
// that takes at most [Config.DrainTimeout]. What was not finished by then has had no effect and is decided by the next owner.
package service
