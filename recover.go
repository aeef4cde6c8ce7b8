package muster

import "context"

// Recover is middleware that makes a refusal of a panic in what stands inside it, so that what stands outside sees an error. A panic that
// nobody recovers is a refusal, too; this one lets it be seen where it happens. Report is told of every panic, the handler's included, with its stack;
// it may be nil. It runs on the goroutine that panicked.
func Recover(report func(ctx context.Context, call *Invocation, panicked *PanicError)) Middleware {
	return func(next Invoke) Invoke {
		return func(ctx context.Context, call *Invocation) (out *Outcome, err error) {
			defer func() {
				if v := recover(); v != nil {
					out, err = nil, panicked("a middleware around "+call.Command.Type, v)
				}
				e, typed := asError(err)
				if !typed || report == nil {
					return
				}
				if p, is := e.cause.(*PanicError); is { //nolint:errorlint // the cause itself
					report(ctx, call, p)
				}
			}()
			return next(ctx, call)
		}
	}
}
