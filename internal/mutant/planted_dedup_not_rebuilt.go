//go:build mutant_dedup_not_rebuilt

package mutant

const planted = "dedup_not_rebuilt"
