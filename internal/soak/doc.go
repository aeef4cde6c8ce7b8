// Command soak tries to break the guarantees: it starts Apache Kafka brokers and instances of a service as processes, kills, stops, cuts off and
// starves them while callers call, and holds what the callers saw against what lies at rest. It ends with status 1 when anything is not as it
// should be. It needs Linux and what internal/kafkatest needs, Java and Maven; root for the faults of the classes net and disk.
//
//	go run ./internal/soak -brokers 3 -instances 3 -for 2m -faults kill,stop,broker,net,disk
//
// # What happens
//
// This program is the supervisor. It starts the brokers, and itself again for each instance, which owns a group with its state in a directory of its own
// and keeps a view of it. Callers in the supervisor send commands, of which some are to be refused, become dead letters, are large, or are asked for
// again under the same id by somebody else, and queries; each caller keeps to one partition and asks with the same id until it has an answer, but for a few that do
// not wait. Two hands carry out the faults, one those of instances and one those of brokers: one fault each at a time, and the next one when all
// is well again, that is when every instance is ready and every replica in sync. So an instance and a broker may be in trouble together, but never two
// brokers, and no more is lost than replication makes good.
//
// With the faults over and everything healed, each caller makes one more call. Then journal, commands, committed offsets, dead letters and views are
// read, the instances end in order, what they have stored is read, and package history checks it: I1 to I10 of its list.
//
// # The faults
//
//	kill    kill            kill -9 of an instance, started again at once
//	        kill-takeover   the same, started again when others have its partitions
//	        kill-lost       the same, started again without its disk
//	stop    stop            SIGSTOP for longer than the session, then SIGCONT
//	disk    full            an instance's disk has no room left for a while
//	        lost            an instance ends in order, and starts again without its disk
//	        broker-full     a broker's disk has no room left for a while: it gives up, and is started again when there is room (three brokers)
//	net     cut             an instance and all brokers: nothing either way
//	        deaf, mute      an instance and all brokers: nothing to it, nothing from it
//	        cut-one, mute-one   the same with one broker
//	        slow            what an instance sends is late
//	        broker-cut, broker-mute   a broker and the other brokers (three brokers)
//	broker  rolling         every broker stops in order and starts again, one after another
//	        broker-kill     kill -9 of a broker
//	        broker-lost     the same, and its disk is gone: it gets everything from the others (three brokers)
//
// Links are broken in network namespaces, one for each process, on a bridge: packets are lost and nobody is told. A link is slow by netem, or where the
// kernel has none by a queue of 256 kbit/s; the first lines say which. There is no substitute for a class that cannot be had; with a question mark, as in
// "net?", it is left out then.
//
// # How to read the output
//
// Each fault is a line with the partitions it touches. In the end:
//
//	workload        acked were carried out, refused were to be refused, abandoned were not waited for. An attempt has an unknown outcome when its caller
//	                was not told what became of it, and was read too late when the owner got it after its deadline; both were sent again with the same id
//	history         lost: acknowledged and not in the journal (I1). Doubled: more than one effect, or half of one (I2). Out of order: revisions with a gap or
//	                a repeat (I3), or answers against the order of time (I4). Then the invariants that were checked, and the violations of each
//	longest stall   the longest time in which one caller had no answer; -stall bounds it
//	fault           how often each was carried out, and how long it took from its beginning until every partition it touched had answered a call sent
//	                after that: the median, the longest, and the longest of those beside which the other hand kept still. A fault that lasts holds
//	                partitions up for as long where nobody else can take over
//
// An instance that ends by itself, an answer that nobody should get, and what does not heal within its bound break the run off with a line "BROKEN".
// After a failure logs, disks and history (JSON) stay in the directory that the last line names. The same -seed makes the same workload and the
// same schedule of faults; not the same run, which depends on what the processes do in the meantime.
package main
