package kafka

import (
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"
)

// spy hands what the client library reports, warnings and worse, to a slog logger, and tells the [Link] of connections that did not come
// about: the library has a hook for dialling, but none for a connection refused after it. It reports addresses, topics, groups and errors,
// never the content of records.
type spy struct {
	logger  *slog.Logger // may be nil
	link    *Link        // may be nil
	explain func(error) error
}

// Level asks for warnings and errors only: below, the library reports every request.
func (spy) Level() kgo.LogLevel { return kgo.LogLevelWarn }

// Log implements [kgo.Logger].
func (s spy) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	attributes := []any{slog.String("report", msg)}
	for i := 0; i+1 < len(keyvals); i += 2 {
		key, value := keyvals[i], keyvals[i+1]
		if err, is := value.(error); is && key == "err" {
			value = s.connection(err)
		}
		attributes = append(attributes, key, value)
	}
	switch {
	case s.logger == nil:
	case level == kgo.LogLevelError:
		s.logger.Error("kafka client", attributes...)
	default:
		s.logger.Warn("kafka client", attributes...)
	}
}

// connection tells the link of a connection that did not come about, and says what to change.
func (s spy) connection(err error) error {
	cause := connectCause(err)
	if cause == "" && dialing(err) {
		cause = CauseDial
	}
	if cause == "" {
		return err
	}
	if cutAtOnce(err) { // a killed broker does that, too: a hint in the log is all that can be given
		cause = CauseDial
	}
	err = s.explain(err)
	s.link.failed(cause, err)
	return err
}
