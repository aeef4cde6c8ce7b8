package muster

import (
	"context"
	"log/slog"
	"time"
)

// Logging is middleware that writes one line per execution and per send: group, type, command id, code, reason, time taken, and around a handler
// partition, offset and attempt. No line has a payload, an aggregate id, a user header, or the message of a refusal, which may quote any of them.
// What went well and repeats are Debug, refusals Info; Unknown, Internal, DataLoss and Unavailable are Warn. A nil logger logs nothing.
func Logging(log *slog.Logger) Middleware {
	return func(next Invoke) Invoke {
		if log == nil {
			return next
		}
		return func(ctx context.Context, call *Invocation) (*Outcome, error) {
			began := time.Now()
			out, err := next(ctx, call)
			level := logLevel(CodeOf(err))
			if !log.Enabled(ctx, level) {
				return out, err
			}
			cmd := call.Command
			attrs := []slog.Attr{
				slog.String("stage", string(call.Stage)), slog.String("group", call.Group.name), slog.String("type", call.Type()),
				slog.String("command_id", cmd.ID), slog.String("code", CodeOf(err).String()), slog.Duration("took", time.Since(began)),
			}
			if reason := ReasonOf(err); reason != "" {
				attrs = append(attrs, slog.String("reason", reason))
			}
			if call.Stage == StageHandle {
				attrs = append(attrs, slog.Int("partition", int(cmd.Partition)), slog.Int64("offset", cmd.Offset), slog.Int("attempt", cmd.Attempt))
			}
			log.LogAttrs(ctx, level, "command", attrs...)
			return out, err
		}
	}
}

func logLevel(code Code) slog.Level {
	switch code {
	case OK:
		return slog.LevelDebug
	case Unknown, Internal, DataLoss, Unavailable:
		return slog.LevelWarn
	default:
		return slog.LevelInfo
	}
}
