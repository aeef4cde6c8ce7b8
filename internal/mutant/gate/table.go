package main

// defect is one row of the table: the test that has to fail when the defect is planted, and to pass when it is not.
type defect struct {
	name string // as in package mutant
	in   string // directory of the package whose test it is
	test string // a pattern of names, as `go test -run` takes it
}

var defects = []defect{
	{"no_dedup", ".", "TestRepeatIsTheOriginalAnswer"},
	{"half_command", ".", "TestReplayEqualsLiveFold"},
	{"no_overlay", ".", "TestScenarios"},
	{"keep_aborted", ".", "TestAbortForgetsOnlyItsBatch"},
	{"dedup_not_rebuilt", ".", "TestReplayEqualsLiveFold"},
	{"other_ids", ".", "TestDecidedAgainIsTheSame"},
	{"all_polled", ".", "TestRoundEndsAtItsBound"},
	{"refused_keeps_events", ".", "TestScenarios"},
	{"refusal_forgotten", ".", "TestScenarios"},
	{"reused_id_answers", ".", "TestScenarios"},
	{"stranger_unseen", ".", "TestScenarios"},
	{"letter_in_clear", ".", "TestUndecodableLetterIsSealedAsAWhole"},

	{"empty_is_null", "kafka", "TestNullPayloadIsWrittenAsAnEmptyOne"},
	{"recovery_to_stable", "consumer", "TestAnOpenTransactionStallsTheReader"},
	{"recovery_in_callback", "consumer", "TestAnAssignmentWaitsForPendingOffsets"},
	{"stale_lane", "consumer", "TestALaneFollowsItsLeader"},

	{"no_generation", "producer", "TestFormerMemberIsFenced"},
	{"offsets_apart", "producer", "TestServerErrorAtTheEndIsUnknown"},
	{"refused_produce", "producer", "TestFailedProduceAbortsTheBatch"},
	{"reply_before_end", "producer", "TestEndAnswerThatNeverComes"},
	{"unknown_is_committed", "producer", "TestEndAnswerThatNeverComes"},
	{"next_before_known", "producer", "TestEndAnswerThatNeverComes"},

	{"state_before_commit", "service", "TestFaultNothingIsToldWhileInDoubt"},
	{"unknown_is_aborted", "service", "TestFaultEndTxnNeverAnsweredIsFoundOut"},
	{"trim_before_base", "service", "TestTrimCutShort"},

	{"checkpoint_before_rows", "projector", "TestStorePowerCut"},
	{"park_in_memory", "projector", "TestStoreTarget"},
	{"no_aggregate_in_aad", "crypto", "TestEveryFieldOfThePlaceCounts"},
	{"unavailable_is_shredded", "crypto", "TestKeyStoreIsDownForTenMinutes"},
	{"null_tombstone", "crypto", "TestTopicDestroyKilledAtEachStep"},
	{"cache_without_bound", "crypto", "TestADestructionWhileTheWatchWasCutIsSeen"},
	{"erased_still_opens", "crypto", "TestADestructionIsSeenAtOnceAndForEver"},
	{"missing_is_shredded", "crypto", "TestAMissingKeyIsMissingForOneSecond"},
}
