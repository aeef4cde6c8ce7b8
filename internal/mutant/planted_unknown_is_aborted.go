//go:build mutant_unknown_is_aborted

package mutant

const planted = "unknown_is_aborted"
