//go:build mutant_recovery_to_stable

package mutant

const planted = "recovery_to_stable"
