// Package kafkatest gives tests a broker: the embedded one, or Apache Kafka run by this package.
//
// # Which broker a suite gets
//
// A suite asks [Brokers] for addresses and [UniqueName] for names of its topics and groups, and does not ask what is behind them. By default
// it is an embedded broker of the test's own; with MUSTER_BROKERS set it is the cluster named there, shared by all suites. A test that needs
// to kill, stop or pause a broker asks [Real], which starts brokers for this test alone when MUSTER_KAFKA_REAL=1 is set and skips it
// otherwise. `make test-kafka` sets both, and runs the packages whose tests import this one.
//
// A test that needs an embedded broker, because it injects faults into it, asks [Embedded]. With MUSTER_BROKERS set it is skipped: it has
// nothing to say about those brokers.
//
// # The life of a real broker
//
// [Start] looks for Kafka's jars in a cache directory and lets Maven fetch them if they are not there. It writes one properties file per
// node, formats one log directory per node with a cluster id of its own, starts one Java process per node (broker and controller in one)
// and returns when every broker lists all others and the coordinators of groups and transactions answer. [Broker.Kill], [Broker.Pause] and
// the others act on one process. [Cluster.Close] ends all processes and removes the directory, if the package made it.
//
// On Linux the processes of a test die with the test, however it ends: the kernel is asked to kill them. Brokers started with
// [StartDetached], which is what `make kafka` runs, stay until [StopDetached].
//
// # Differences from a cluster in production
//
// Few partitions of the internal topics, no delay before the first rebalance, group sessions from one second, four seconds
// instead of nine until a broker counts as dead, and expired transactions looked for every second instead of every ten. The broker of a test is compiled by the first of Java's compilers only,
// which shortens its start by a third; those of `make kafka`, by which things are measured, are not. Everything else, above all what decides the
// time of a transaction, is Kafka's default.
package kafkatest
