//go:build mutant_no_overlay

package mutant

const planted = "no_overlay"
