// Package sim runs the whole system in one process under faults, and holds afterwards what happened against the invariants of package history.
//
// # A run
//
// A run has a seed, which gives a workload and a plan. There are three brokers in memory, two owners of one group on disks in memory, a view in
// a process of its own, and four callers; each of them is a [service.Service] with a network, a disk and a clock that the plan can spoil.
// The callers send commands to few aggregates, one of them hot: with none or many events, refused, with handlers that panic, the same id
// from two callers, and queries between them. A caller sends a command again until it is answered. The plan is a list of faults, each of which begins
// when so many operations have begun, and ends by itself: plan.go draws them, fault.go tells what each one does. When the last one has ended, everything
// has to come to rest within a bound. Then journal, commands, committed offsets, dead letters and view are read, the processes are stopped, and
// the stores are read, those on disks as crashes have left them, too.
//
// # People
//
// Every other seed seals: part of each event belongs to a subject that has the aggregate's id, and a word in it to a witness, who has words in many
// aggregates. About one operation in a hundred erases somebody while everything goes on. Every process has its keys, and its ledger of erasures, from topics of the
// cluster, over the network that is disturbed. Since the workload is known, so is what was written: it is folded without those who are gone and held against what
// queries, answers, states and rows show, from before an erasure, and from when it is over. In between either may show. At rest every erasure is proven
// by owners and views, every caller opens the journal once more with the keys that it remembers, and topics, disks and logs are searched for what may lie
// nowhere in clear. people.go says who has data where, erasure.go asks and waits, answer.go and reading.go judge.
//
// # A process that crashes
//
// The network of a process is cut, its disk is replaced by what a loss of power would leave of it (none, half or all of what was not synced), and its
// context is cancelled. Its goroutines go on until they notice, without a disk that anybody reads and without a network: nobody can tell them from none.
// How a process is killed at a named point of the engine is tested in package service, with real processes.
//
// # Seeds
//
//	go test ./internal/sim -seeds 100                       so many runs, from seed 1 on
//	go test ./internal/sim -seed 7                          one of them
//	go test ./internal/sim -seed 7 -faults 3,7              with these faults of its plan only
//
// A seed that fails prints its plan, the violations, what happened, and what clients saw of the aggregates concerned. Then it is run again with
// fewer faults until none can be left out, and the short list is printed with the command that replays it.
//
// A seed gives one workload and one plan, byte for byte. It does not give one schedule: goroutines, brokers and timers run as they like, so a
// replay fails often, not always. What is to be the same each time is driven by state machines (rapid): in package muster TestReplayEqualsLiveFold (dedup,
// fold, aborts, restarts, rebuilding from the journal), TestSnapshotsAndTrimmingNeverShow (recovery from whatever a crash has left) and
// TestCommandsWaitInOrderAndTakeEffectOnce (retries and takeovers); in package journal TestWindowModel (the ids that are remembered); in packages projector,
// crypto and mustertest views, keys and key stores. Where they wait for anything they do so in virtual time (testing/synctest).
//
// Planted bugs show that a run finds anything at all: with -tags mutant and MUSTER_TEST_MUTANT=no_dedup or state_before_commit, see package mutant,
// the first seed fails, with -tags mutant and MUSTER_TEST_MUTANT=erased_still_opens the second.
//
// Timeouts are a twentieth of the defaults, times -slow. A machine that is too busy for them has members of the groups come and go all the time,
// and comes to rest late; that is no fault of the system, hence -slow is 3 where nobody says otherwise.
package sim
