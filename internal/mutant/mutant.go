// Package mutant names defects that can be compiled into Muster on purpose, one at a time, to see whether the tests find them. A suite is
// worth what it catches. `make mutants` plants each one and runs the tests that have to fail.
//
// Each defect is a constant that is false. It stands at the one place where the code would be wrong, and since it is a constant, the compiler
// leaves nothing of it:
//
//	if err := l.wait(); err != nil || mutant.NoWaiting { ... }
//
// Two build tags make one true, `mutant` and the one of the defect, such as `-tags mutant,mutant_state_before_commit`. Without the first one
// a build with the second does not compile, nor does one with two defects; so none gets into a program by accident.
//
// To add a defect: a constant here, a file with its tag beside it, its place in the code, and a line in the table of package gate. The root
// package imports nothing of this module: its constants are in planted.go there, and only a build with `mutant` takes them from here.
package mutant

// In package muster.
const (
	// NoDedup executes a command whose id was answered before once more.
	NoDedup = planted == "no_dedup"
	// HalfCommand commits a command of several events without the last one.
	HalfCommand = planted == "half_command"
	// NoOverlay lets the second command of a batch decide on the stored state.
	NoOverlay = planted == "no_overlay"
	// KeepAborted goes on deciding on the states that an aborted transaction led to.
	KeepAborted = planted == "keep_aborted"
	// DedupNotRebuilt folds states out of the journal, and no answers.
	DedupNotRebuilt = planted == "dedup_not_rebuilt"
	// OtherIDs gives the events of a command other ids when it is executed again.
	OtherIDs = planted == "other_ids"
	// AllPolled moves the offset over everything that was polled, not only over what was decided.
	AllPolled = planted == "all_polled"
)

// In packages kafka and consumer.
const (
	// EmptyIsNull writes a payload that encodes to nothing as null, which is a tombstone.
	EmptyIsNull = planted == "empty_is_null"
	// RecoveryToStable reads the journal up to the last stable offset, which an open transaction of a dead owner holds back.
	RecoveryToStable = planted == "recovery_to_stable"
	// RecoveryInCallback tells of an assignment while offsets of the former owner are pending, as kgo's assignment callback does.
	RecoveryInCallback = planted == "recovery_in_callback"
	// StaleLane leaves partitions in their lane when their journal gets another leader.
	StaleLane = planted == "stale_lane"
)

// In package producer.
const (
	// NoGeneration commits offsets without member and generation, so that nothing fences a former owner.
	NoGeneration = planted == "no_generation"
	// OffsetsApart commits the consumed offsets beside the transaction.
	OffsetsApart = planted == "offsets_apart"
	// RefusedProduce commits a transaction although one of its records was refused.
	RefusedProduce = planted == "refused_produce"
	// ReplyBeforeEnd takes a transaction for committed before EndTxn is answered.
	ReplyBeforeEnd = planted == "reply_before_end"
	// UnknownIsCommitted takes a transaction whose end was never answered for committed.
	UnknownIsCommitted = planted == "unknown_is_committed"
	// NextBeforeKnown begins the next transaction of a lane while the outcome of the one before is unknown.
	NextBeforeKnown = planted == "next_before_known"
)

// In package service.
const (
	// StateBeforeCommit stores states and answers of a transaction before it is known to be committed.
	StateBeforeCommit = planted == "state_before_commit"
	// UnknownIsAborted takes a transaction whose end was never answered for aborted.
	UnknownIsAborted = planted == "unknown_is_aborted"
	// TrimBeforeBase removes events without their snapshots having been written and read back.
	TrimBeforeBase = planted == "trim_before_base"
)

// In packages projector and crypto.
const (
	// CheckpointBeforeRows stores the checkpoints of a view ahead of its rows.
	CheckpointBeforeRows = planted == "checkpoint_before_rows"
	// ParkInMemory parks an event without storing it.
	ParkInMemory = planted == "park_in_memory"
	// NoAggregateInAAD leaves the aggregate id out of what sealed data is bound to.
	NoAggregateInAAD = planted == "no_aggregate_in_aad"
	// UnavailableIsShredded takes a key that cannot be had now for a destroyed one.
	UnavailableIsShredded = planted == "unavailable_is_shredded"
	// NullTombstone ends the keys of a subject with a null record, which compaction takes away.
	NullTombstone = planted == "null_tombstone"
	// CacheWithoutBound goes on using cached keys while nothing is heard of the key store.
	CacheWithoutBound = planted == "cache_without_bound"
)
