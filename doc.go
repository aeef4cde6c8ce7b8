// Package muster is a toolkit for services that talk in commands and events over Kafka.
//
// A command asks for something and may be refused; an event says what happened and is never taken back. Commands travel in the command
// topic of a [Group]. The service that owns the group consumes them in order per aggregate, decides, and appends events to the group's
// journal, a compacted topic that is the only source of truth. Any service may send commands and wait for the outcome.
//
// This package is the face: contracts, the deciding core, the client. It does no I/O. Package service puts it on Kafka and Pebble; package
// embedded is a broker inside the process for tests and first steps.
//
// # What a user writes
//
// A contract is values that owner and callers import: [NewGroup], [NewCommand], [NewQuery], [NewEvent]. The owner gives behaviour to it:
// [NewAggregate] with [Decide], [Evolve] and [Answer]. A caller uses [CommandType.Call], [CommandType.Send] and [QueryType.Call].
//
// [Middleware] stands around handlers and around sends, a [Tracer] is told of both. [CommandType.Result] asks later what became of a command.
//
// # One command, from end to end
//
// Deposit.Call makes a [Command], checks it against the limits, registers a waiter under its id in the [Client], and writes one record
// to the command topic, keyed by the aggregate id. The owner of that partition polls it into a [Batch], with everything else that has
// arrived. A [Processor] begins a [Round] with it: commands of one aggregate form a [Unit], and units run at the same time. For each
// command the unit asks: answered before? too late? is the expected revision right? It reads the state through what earlier commands
// of the batch have emitted, calls the decide function, folds each emitted [Event] at once and encodes the result. [Round.Decision] is
// what all of it leads to: events, dead letters and consumed offsets, which a [Sink] commits as one transaction. Only then
// [Round.Settle] tells what to store in [States] and what to answer; the reply reader of the caller hands the [Outcome] to
// [Client.Deliver]. Who holds a reply holds a fact.
//
// Any service may read the events: a [Subscription] hands them to functions, [Await] waits for one.
//
// A handler that cannot decide now returns [RetryLater]. Nothing of its execution is kept; [Round.Waiting] names the command, and those
// behind it in its aggregate, to be handed in again later. The consumed offset that is committed names them too ([Progress]), so that
// the next owner takes them up. [Drop] gives a command up at once.
//
// # Handlers without state
//
// [Group.HandleFunc], [HandleCommand] and [Group.CatchAll] make handlers that may do I/O and call other groups, beside an aggregate or in its
// place. Such a [Handler] runs where a decide function would. Its [Writer] collects events, an answer and commands to other groups; when it has
// returned without an error, they are part of the same decision. Items of progress go to the caller at once: see [CommandType.Stream].
//
// # If the owner dies
//
//	before the commit    nothing happened; the next owner decides again, and the events get the same ids
//	during the commit    unknown to it; the broker settles the transaction before the next owner reads on
//	after the commit     the journal has it; [Processor.Replay] folds it, and a repeated command id gets the stored outcome
//
// # Errors
//
// There is one type, [Error], with gRPC's codes. It tells apart: refused, conflict, no handler, too late, outcome unknown, cancelled,
// shutting down.
package muster
