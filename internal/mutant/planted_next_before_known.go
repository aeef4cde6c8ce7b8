//go:build mutant_next_before_known

package mutant

const planted = "next_before_known"
