//go:build mutant_null_tombstone

package mutant

const planted = "null_tombstone"
