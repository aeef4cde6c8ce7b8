//go:build mutant

package muster

import "github.com/seed-3eec0498/muster/internal/mutant"

var (
	noDedup         = mutant.NoDedup
	halfCommand     = mutant.HalfCommand
	noOverlay       = mutant.NoOverlay
	keepAborted     = mutant.KeepAborted
	dedupNotRebuilt = mutant.DedupNotRebuilt
	otherIDs        = mutant.OtherIDs
	allPolled       = mutant.AllPolled

	refusedKeepsEvents = mutant.RefusedKeepsEvents
	refusalForgotten   = mutant.RefusalForgotten
	reusedIDAnswers    = mutant.ReusedIDAnswers
	strangerUnseen     = mutant.StrangerUnseen
	letterInClear      = mutant.LetterInClear
)
