//go:build mutant_other_ids

package mutant

const planted = "other_ids"
