//go:build mutant_refused_produce

package mutant

const planted = "refused_produce"
