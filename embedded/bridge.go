package embedded

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kfake"
)

// bridge carries kfake's log lines to a slog.Logger.
type bridge struct {
	ctx    context.Context // the values of Start's context, for handlers that look for them; never cancelled
	logger *slog.Logger
}

// Logf implements kfake.Logger.
func (b bridge) Logf(level kfake.LogLevel, format string, args ...any) {
	to := slog.LevelDebug
	switch level {
	case kfake.LogLevelError:
		to = slog.LevelError
	case kfake.LogLevelWarn:
		to = slog.LevelWarn
	case kfake.LogLevelInfo:
		to = slog.LevelInfo
	case kfake.LogLevelDebug:
	case kfake.LogLevelNone:
		return
	}
	if b.logger.Enabled(b.ctx, to) {
		b.logger.Log(b.ctx, to, "embedded broker", "said", fmt.Sprintf(format, args...))
	}
}
