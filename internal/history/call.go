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
	GivenUp  time.Time // when the caller stopped waiting, where it was never answered
	Attempts int

	Refused  bool // by the handler; then Revision, Position and Answer are not compared
	Revision uint64
	Position muster.Position // zero for a command that wrote no event
	Answer   string          // the result in any form in which equal results are equal
	Mark     Mark            // what the answer itself says whose it is; zero where it says nothing
}

// Query is one question for the state of an aggregate, as its caller saw it.
type Query struct {
	Caller    string
	ID        string // of the command that carried it; empty where that is not known
	Aggregate string
	Asked     time.Time // with its monotonic part, on the clock of the calls
	Answered  time.Time // zero: never answered; then it says nothing
	Revision  uint64    // that the answer was given at
	Answer    string    // as [Contract.Show] gives it
}

// Mark is what a payload carries to say whose it is.
type Mark struct {
	Tenant, Aggregate, Command string
	Ordinal                    int // of the event in its command
}

// answered tells whether there was an answer.
func (c *Call) answered() bool { return !c.Answered.IsZero() }

// Log collects calls and queries. The zero value is ready; any goroutine may add.
type Log struct {
	mu      sync.Mutex // guards what follows
	calls   []Call
	queries []Query
}

// Ask writes a query down.
func (l *Log) Ask(q Query) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queries = append(l.queries, q)
}

// Queries gives the queries that have been written down.
func (l *Log) Queries() []Query {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.queries)
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
