package kafka

import (
	"log/slog"
	"sync"
)

// Link is what is known of the connections of a process. One is made by whoever wants to know and given to all clients with
// [Config.Link]; the zero value is ready. Its methods may be called by any goroutine, and on nil, where they do nothing.
type Link struct {
	mu       sync.Mutex // guards what follows
	fault    error      // why the latest connection did not come about; nil after one that did
	failures map[string]int64
	logger   *slog.Logger
	reload   string // the latest fault of reloading that was logged
}

// Err gives why the latest connection was refused: a certificate or credentials that are not accepted. It is nil when the latest one
// works, and for a broker that is merely not there, which happens in every restart of one. Connections opened earlier may still work.
func (l *Link) Err() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fault
}

// Failures gives how many connections did not come about for a cause, one of the Cause constants.
func (l *Link) Failures(cause string) int64 {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failures[cause]
}

// log says where to log to.
func (l *Link) log(to *slog.Logger) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.logger = to
}

func (l *Link) connected() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault, l.reload = nil, ""
}

func (l *Link) failed(cause string, err error) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failures == nil {
		l.failures = map[string]int64{}
	}
	l.failures[cause]++
	if cause != CauseDial {
		l.fault = err
	}
}

// reloadFailed says once that replaced files cannot be used.
func (l *Link) reloadFailed(err error) {
	if l == nil {
		return
	}
	l.mu.Lock()
	told := l.reload == err.Error()
	l.reload = err.Error()
	logger := l.logger
	l.mu.Unlock()
	if !told && logger != nil {
		logger.Error("certificates were replaced by some that cannot be used; the former ones are used on", "error", err)
	}
}
