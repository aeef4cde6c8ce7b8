//go:build !mutant

package mutant

// In package muster.
const (
	// NoDedup executes a command whose id was answered before once more.
	NoDedup = false
	// HalfCommand commits a command of several events without the last one.
	HalfCommand = false
	// NoOverlay lets the second command of a batch decide on the stored state.
	NoOverlay = false
	// KeepAborted goes on deciding on the states that an aborted transaction led to.
	KeepAborted = false
	// DedupNotRebuilt folds states out of the journal, and no answers.
	DedupNotRebuilt = false
	// OtherIDs gives the events of a command other ids when it is executed again.
	OtherIDs = false
	// AllPolled moves the offset over everything that was polled, not only over what was decided.
	AllPolled = false
	// RefusedKeepsEvents commits what a handler emitted before it refused.
	RefusedKeepsEvents = false
	// RefusalForgotten does not remember refusals, so that a repeat is decided anew.
	RefusalForgotten = false
	// ReusedIDAnswers answers any command with what is remembered under its id, whatever aggregate and payload that was for.
	ReusedIDAnswers = false
	// StrangerUnseen does not look whether events lie where this owner's own writes put them.
	StrangerUnseen = false
	// LetterInClear puts a payload that came in clear into its dead letter as it is, where payloads are sealed.
	LetterInClear = false
)

// In packages kafka and consumer.
const (
	// EmptyIsNull writes a payload that encodes to nothing as null, which is a tombstone.
	EmptyIsNull = false
	// RecoveryToStable reads the journal up to the last stable offset, which an open transaction of a dead owner holds back.
	RecoveryToStable = false
	// RecoveryInCallback tells of an assignment while offsets of the former owner are pending, as kgo's assignment callback does.
	RecoveryInCallback = false
	// StaleLane leaves partitions in their lane when their journal gets another leader.
	StaleLane = false
)

// In package producer.
const (
	// NoGeneration commits offsets without member and generation, so that nothing fences a former owner.
	NoGeneration = false
	// OffsetsApart commits the consumed offsets beside the transaction.
	OffsetsApart = false
	// RefusedProduce commits a transaction although one of its records was refused.
	RefusedProduce = false
	// ReplyBeforeEnd takes a transaction for committed before EndTxn is answered.
	ReplyBeforeEnd = false
	// UnknownIsCommitted takes a transaction whose end was never answered for committed.
	UnknownIsCommitted = false
	// NextBeforeKnown begins the next transaction of a lane while the outcome of the one before is unknown.
	NextBeforeKnown = false
)

// In package service.
const (
	// StateBeforeCommit stores states and answers of a transaction before it is known to be committed.
	StateBeforeCommit = false
	// UnknownIsAborted takes a transaction whose end was never answered for aborted.
	UnknownIsAborted = false
	// TrimBeforeBase removes events without their snapshots having been written and read back.
	TrimBeforeBase = false
)

// In packages projector and crypto.
const (
	// CheckpointBeforeRows stores the checkpoints of a view ahead of its rows.
	CheckpointBeforeRows = false
	// ParkInMemory parks an event without storing it.
	ParkInMemory = false
	// NoAggregateInAAD leaves the aggregate id out of what sealed data is bound to.
	NoAggregateInAAD = false
	// UnavailableIsShredded takes a key that cannot be had now for a destroyed one.
	UnavailableIsShredded = false
	// NullTombstone ends the keys of a subject with a null record, which compaction takes away.
	NullTombstone = false
	// CacheWithoutBound goes on using cached keys while nothing is heard of the key store.
	CacheWithoutBound = false
	// ErasedStillOpens does not hear of keys that were destroyed, and goes on using the copies it has.
	ErasedStillOpens = false
	// MissingIsShredded takes a key that is not there for a destroyed one.
	MissingIsShredded = false
)
