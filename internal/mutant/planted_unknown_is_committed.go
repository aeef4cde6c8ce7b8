//go:build mutant_unknown_is_committed

package mutant

const planted = "unknown_is_committed"
