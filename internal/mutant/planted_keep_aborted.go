//go:build mutant_keep_aborted

package mutant

const planted = "keep_aborted"
