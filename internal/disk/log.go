package disk

import (
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
)

// logger passes Pebble's lines on at debug level, and keeps its fatal ones from ending the process.
type logger struct{ h *health }

// Infof logs at debug level.
func (l logger) Infof(format string, args ...any) { l.debug(format, args...) }

// Errorf logs at debug level; what matters of it reaches the log through the events.
func (l logger) Errorf(format string, args ...any) { l.debug(format, args...) }

// Fatalf marks the store failed and returns, which Pebble does not expect. Its callers then go on with an error, or as if nothing had
// happened; what becomes of that is the guard's business.
func (l logger) Fatalf(format string, args ...any) { l.h.fatal(format, args...) }

func (l logger) debug(format string, args ...any) {
	l.h.cfg.Logger.Debug("pebble", "line", line{format, args})
}

// line is formatted only when somebody listens.
type line struct {
	format string
	args   []any
}

// LogValue formats the line.
func (l line) LogValue() slog.Value { return slog.StringValue(fmt.Sprintf(l.format, l.args...)) }

// events listens to Pebble. Most of them come with Pebble's own lock held: nothing here may call Pebble or wait.
func (h *health) events() *pebble.EventListener {
	logged := pebble.MakeLoggingEventListener(logger{h})
	logged.DataCorruption = nil // its line shows keys
	own := pebble.EventListener{
		BackgroundError: h.background,
		DataCorruption:  func(info pebble.DataCorruptionInfo) { h.rot(info.Details) },
		FlushEnd:        func(pebble.FlushInfo) { h.step() },
		CompactionEnd:   func(pebble.CompactionInfo) { h.step() },
	}
	own.EnsureDefaults(nil)
	both := pebble.TeeEventListener(logged, own)
	return &both
}
