//go:build mutant_stale_lane

package mutant

const planted = "stale_lane"
