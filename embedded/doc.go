// Package embedded runs a broker that speaks Kafka's protocol inside the process: for tests, examples and first steps.
//
// # One record, from end to end
//
// [Start] opens a listener on a free loopback port and returns before a tenth of a second has passed. A client that is given
// [Broker.Brokers] connects as it would to any Kafka. Its produce request reaches the one goroutine that does all the broker's work, which
// puts the record into a log in memory and answers; a fetch, also one that was waiting, is answered from that log. Groups, transactions,
// read_committed and compacted topics behave as Kafka 4 describes them. The broker ends with [Broker.Close] or with the context that was
// given to Start, whichever comes first, and everything written to it is gone.
//
// # What it is not
//
//   - It keeps everything in memory. Nothing survives the process, and what is produced stays in memory until it is deleted.
//   - It replicates nothing: three brokers are three addresses in front of one memory.
//   - Transactions finish synchronously. A real broker writes the markers after it has answered and makes the next transaction of the same
//     id wait for them; this one does not. Latency, rotation of transactional ids and take-over times measured here predict no cluster.
//   - It listens on 127.0.0.1 only. Other processes of this host can connect, other hosts cannot.
//   - It creates no topic by itself; create topics before use, as on a cluster with auto.create.topics.enable=false.
//
// The code that talks to it needs no change for a real cluster: only the address differs.
//
// # Fault injection
//
// The broker is franz-go's kfake. [Broker.Cluster] hands it to tests, which can fail requests, answer in its place, move leaders and
// remove brokers.
package embedded
