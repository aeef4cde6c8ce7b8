package kafka

import (
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"
)

// bridge hands what the client library reports, warnings and worse, to a slog logger. The library reports addresses, topics, groups and
// errors, never the content of records.
type bridge struct{ logger *slog.Logger }

// Level asks for warnings and errors only: below, the library reports every request.
func (bridge) Level() kgo.LogLevel { return kgo.LogLevelWarn }

// Log implements [kgo.Logger].
func (b bridge) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	attributes := append([]any{slog.String("report", msg)}, keyvals...)
	if level == kgo.LogLevelError {
		b.logger.Error("kafka client", attributes...)
		return
	}
	b.logger.Warn("kafka client", attributes...)
}
