//go:build mutant_no_dedup

package mutant

const planted = "no_dedup"
