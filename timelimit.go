package muster

import (
	"context"
	"time"
)

// TimeLimit is middleware that ends the context of what stands inside it after d. A handler that heeds its context is refused then with
// DeadlineExceeded, as one that overran the service's HandlerDeadline is; one that does not is bounded by that deadline only. Around a call it bounds
// the wait for the outcome; in a batch of sends, the write itself is bounded by the caller's context. A d of zero or less sets no limit.
func TimeLimit(d time.Duration) Middleware {
	return func(next Invoke) Invoke {
		if d <= 0 {
			return next
		}
		return func(ctx context.Context, call *Invocation) (*Outcome, error) {
			ctx, cancel := context.WithTimeout(ctx, d)
			defer cancel()
			return next(ctx, call)
		}
	}
}
