//go:build mutant_reply_before_end

package mutant

const planted = "reply_before_end"
