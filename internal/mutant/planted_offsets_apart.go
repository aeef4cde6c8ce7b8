//go:build mutant_offsets_apart

package mutant

const planted = "offsets_apart"
