//go:build mutant_all_polled

package mutant

const planted = "all_polled"
