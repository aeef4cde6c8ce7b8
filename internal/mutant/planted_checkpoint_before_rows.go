//go:build mutant_checkpoint_before_rows

package mutant

const planted = "checkpoint_before_rows"
