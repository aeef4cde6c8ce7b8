//go:build mutant_no_aggregate_in_aad

package mutant

const planted = "no_aggregate_in_aad"
