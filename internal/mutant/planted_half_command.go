//go:build mutant_half_command

package mutant

const planted = "half_command"
