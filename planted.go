//go:build !mutant

package muster

// The places of the defects that `make mutants` plants into this package; package internal/mutant tells of them. All are off.
const (
	noDedup         = false
	halfCommand     = false
	noOverlay       = false
	keepAborted     = false
	dedupNotRebuilt = false
	otherIDs        = false
	allPolled       = false

	refusedKeepsEvents = false
	refusalForgotten   = false
	reusedIDAnswers    = false
	strangerUnseen     = false
	letterInClear      = false
)
