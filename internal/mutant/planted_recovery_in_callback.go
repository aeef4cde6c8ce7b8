//go:build mutant_recovery_in_callback

package mutant

const planted = "recovery_in_callback"
