//go:build mutant_empty_is_null

package mutant

const planted = "empty_is_null"
