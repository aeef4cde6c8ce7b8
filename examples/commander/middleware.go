package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/seed-3eec0498/muster"
)

// actorHeader says who asks. User headers pass from a command to its events and to the commands that its handler sends.
const actorHeader = "actor"

// signed is middleware around sending: every command of the process carries its actor.
func signed(actor string) muster.Middleware {
	return func(next muster.Invoke) muster.Invoke {
		return func(ctx context.Context, call *muster.Invocation) (*muster.Outcome, error) {
			call.Command.Headers = append(slices.Clip(call.Command.Headers), muster.Header{Key: actorHeader, Value: []byte(actor)})
			return next(ctx, call)
		}
	}
}

// tally is middleware around handling: it counts the commands of each type.
type tally struct {
	mu  sync.Mutex                     // guards ids
	ids map[string]map[string]struct{} // type -> command ids: a command may be executed again
}

func newTally() *tally { return &tally{ids: map[string]map[string]struct{}{}} }

func (t *tally) count(next muster.Invoke) muster.Invoke {
	return func(ctx context.Context, call *muster.Invocation) (*muster.Outcome, error) {
		t.mu.Lock()
		name := call.Type() // "other" for one that nobody declared
		if t.ids[name] == nil {
			t.ids[name] = map[string]struct{}{}
		}
		t.ids[name][call.Command.ID] = struct{}{}
		t.mu.Unlock()
		return next(ctx, call)
	}
}

// String gives the counts in the order of the names.
func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var lines []string
	for name, ids := range t.ids {
		lines = append(lines, fmt.Sprintf("%s %d", name, len(ids)))
	}
	slices.Sort(lines)
	return strings.Join(lines, ", ")
}
