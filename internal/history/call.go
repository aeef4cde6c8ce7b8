package history

import (
	"slices"
	"sync"
	"time"

	"github.com/seed-3eec0498/muster"
)

// Call is one command as a caller saw it, from the first time it was sent to one answer. A command that was sent again after its answer is
// another Call with the same ID.
type Call struct {
	Caller    string // which replica asked
	ID        string // of the command
	Aggregate string

	Sent     time.Time // of the first attempt, with its monotonic part
	Answered time.Time // zero: never answered, whatever became of it
	Attempts int

	Refused  bool // by the handler; then Revision, Position and Answer are not compared
	Revision uint64
	Position muster.Position // zero for a command that wrote no event
	Answer   string          // the result in any form in which equal results are equal
}

// answered tells whether there was an answer.
func (c *Call) answered() bool { return !c.Answered.IsZero() }

// Log collects calls. The zero value is ready; any goroutine may add.
type Log struct {
	mu    sync.Mutex // guards calls
	calls []Call
}

// Add writes a call down.
func (l *Log) Add(c Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, c)
}

// Calls gives what has been written down, in the order in which it was.
func (l *Log) Calls() []Call {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.calls)
}
