//go:build mutant_no_generation

package mutant

const planted = "no_generation"
