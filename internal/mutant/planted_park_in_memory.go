//go:build mutant_park_in_memory

package mutant

const planted = "park_in_memory"
