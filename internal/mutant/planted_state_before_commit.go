//go:build mutant_state_before_commit

package mutant

const planted = "state_before_commit"
