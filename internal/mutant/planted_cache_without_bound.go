//go:build mutant_cache_without_bound

package mutant

const planted = "cache_without_bound"
