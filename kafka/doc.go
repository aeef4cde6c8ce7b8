// Package kafka is the connection to Kafka: how it is configured, what bytes the toolkit writes, which topics it needs, what its errors
// mean. It is the one leaf that the consumer and the producer share; it holds no state and starts no goroutine of its own.
//
// # One command, from end to end
//
// A service begins with [OpenAdmin], asks [CheckTransactions] whether the cluster's transactions are safe enough, and has [EnsureGroup]
// and [EnsureReplies] create or check its topics. A topic that is not right stops it there, with the command that mends it. Every
// connection of its parts is a [Config.Client], which is the one place where TLS and SASL are applied.
//
// A caller's [EncodeCommand] makes a record keyed by the aggregate id and puts it into the partition that [Partition] names, which is the
// one any other Kafka client would choose. The owner reads it with [DecodeCommand], which never fails: what is no valid command comes back
// with a fault, to be refused and written as a dead letter ([EncodeDeadLetter]), so that the next command proceeds.
//
// What the owner decides leaves as [EncodeEvent], one record per event with a key of its own, in the partition of the command; the last one
// carries the answer. [Claim] says as whom the consumed offset is committed in the same transaction. After that [EncodeReply] addresses
// the outcome to the partition the caller named, and to reply topics only.
//
// Readers of the journal use [DecodeEvent]. It tells apart what is not the toolkit's ([ErrForeign]), what removes a record
// ([ErrTombstone]), and what the toolkit wrote but cannot be read.
//
// # Bytes
//
// Headers follow the CloudEvents Kafka binding in binary mode; header.go lists all of them, testdata has one record of each kind. The
// muster-format header carries the format's number, and a record with a higher one is refused by name. Encoders do not copy payloads and
// user header values, decoders share them with the record; the short texts of a record lie in one piece of memory.
//
// # Files
//
//	config.go, url.go          client settings
//	tls.go, sasl.go, secret.go certificates and credentials; mechanism.go carries the latter to the client library
//	dial.go, link.go           opening connections; what is known of how they fare; logger.go hears of refused ones
//	connecterror.go, right.go  what a refused connection or right says
//	partition.go               murmur2
//	header.go, writer.go       header keys; reading and writing them
//	command.go, event.go       a message and its record
//	deadletter.go, reply.go    likewise
//	mark.go                    what became of a dead letter
//	topicspec.go               what each topic must be
//	topics.go, verify.go       creating topics, waiting for them, refusing wrong ones
//	admin.go                   a connection for what comes before the first record
//	features.go                what the cluster must be able to do
//	errors.go                  errors of the library and of brokers as errors of the toolkit
package kafka
