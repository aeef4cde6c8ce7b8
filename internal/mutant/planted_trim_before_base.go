//go:build mutant_trim_before_base

package mutant

const planted = "trim_before_base"
