//go:build mutant_unavailable_is_shredded

package mutant

const planted = "unavailable_is_shredded"
