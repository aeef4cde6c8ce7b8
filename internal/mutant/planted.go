//go:build mutant

package mutant

import "os"

// planted is the name of the one defect that is there, empty for none.
var planted = os.Getenv("MUSTER_TEST_MUTANT")

// What each one is stands in mutant.go.
var (
	NoDedup               = planted == "no_dedup"
	HalfCommand           = planted == "half_command"
	NoOverlay             = planted == "no_overlay"
	KeepAborted           = planted == "keep_aborted"
	DedupNotRebuilt       = planted == "dedup_not_rebuilt"
	OtherIDs              = planted == "other_ids"
	AllPolled             = planted == "all_polled"
	RefusedKeepsEvents    = planted == "refused_keeps_events"
	RefusalForgotten      = planted == "refusal_forgotten"
	ReusedIDAnswers       = planted == "reused_id_answers"
	StrangerUnseen        = planted == "stranger_unseen"
	LetterInClear         = planted == "letter_in_clear"
	EmptyIsNull           = planted == "empty_is_null"
	RecoveryToStable      = planted == "recovery_to_stable"
	RecoveryInCallback    = planted == "recovery_in_callback"
	StaleLane             = planted == "stale_lane"
	NoGeneration          = planted == "no_generation"
	OffsetsApart          = planted == "offsets_apart"
	RefusedProduce        = planted == "refused_produce"
	ReplyBeforeEnd        = planted == "reply_before_end"
	UnknownIsCommitted    = planted == "unknown_is_committed"
	NextBeforeKnown       = planted == "next_before_known"
	StateBeforeCommit     = planted == "state_before_commit"
	UnknownIsAborted      = planted == "unknown_is_aborted"
	TrimBeforeBase        = planted == "trim_before_base"
	CheckpointBeforeRows  = planted == "checkpoint_before_rows"
	ParkInMemory          = planted == "park_in_memory"
	NoAggregateInAAD      = planted == "no_aggregate_in_aad"
	UnavailableIsShredded = planted == "unavailable_is_shredded"
	NullTombstone         = planted == "null_tombstone"
	CacheWithoutBound     = planted == "cache_without_bound"
	ErasedStillOpens      = planted == "erased_still_opens"
	MissingIsShredded     = planted == "missing_is_shredded"
)
