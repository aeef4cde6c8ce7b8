package muster

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/google/uuid"
)

// MaxHops is how many commands may follow from one another, each sent by the handler of the one before: more is taken for an endless loop.
const MaxHops = 16

// lineage is what the commands that a handler sends take over from the command in hand. The handler's context carries it.
type lineage struct {
	cmd *Command // the execution's copy; read-only

	mu   sync.Mutex     // guards made: a handler may send from several goroutines
	made map[string]int // commands made so far, by how, target and type
}

type lineageKey struct{}

func withLineage(ctx context.Context, l *lineage) context.Context {
	return context.WithValue(withMeta(ctx, &l.cmd.Meta), lineageKey{}, l)
}

func lineageFrom(ctx context.Context) *lineage {
	l, _ := ctx.Value(lineageKey{}).(*lineage)
	return l
}

// childSpace is the namespace of derived command ids.
var childSpace = uuid.MustParse("6b1c7d1e-3f0b-5d3a-9a64-5f9a6f0c4e2b")

// The ways to send a command from a handler; they are part of the derived id.
const (
	viaClient = "send"
	viaWriter = "write"
)

// childID derives the id of a command that the handler sends: a re-execution that sends the same commands gives them the same ids, so the
// receiver knows a repeat. Commands are counted per receiving aggregate and type, so that those to different ones may be sent side by side,
// in any order.
func (l *lineage) childID(via string, child *Command) string {
	c := l.cmd
	target := strings.Join([]string{via, child.Group, child.Type, child.AggregateID}, "\x00")
	l.mu.Lock()
	if l.made == nil {
		l.made = map[string]int{}
	}
	n := l.made[target]
	l.made[target]++
	l.mu.Unlock()
	name := strings.Join([]string{c.Group, c.AggregateID, c.ID, target, strconv.Itoa(n)}, "\x00")
	return uuid.NewSHA1(childSpace, []byte(name)).String()
}

// follow makes child one hop further than the command in hand, or refuses.
func (l *lineage) follow(child *Command) error {
	if child.Hops = max(child.Hops, l.cmd.Hops+1); child.Hops > MaxHops {
		return refuse(FailedPrecondition, ReasonTooManyHops, "%s to group %s would be hop %d of a chain of handlers that send commands; at most %d are allowed, is it a loop?",
			child.Type, child.Group, child.Hops, MaxHops)
	}
	return nil
}

// await notes that the handler will wait for child, or refuses where the group that child goes to waits for this handler: it would not come
// to child before the handler has returned.
func (l *lineage) await(g *Group, child *Command) error {
	path := append(slices.Clone(l.cmd.Path), l.cmd.Group)
	if slices.Contains(path, g.name) {
		return refuse(FailedPrecondition, ReasonCallCycle, "a call from a handler of group %s to group %s would wait for itself (%s -> %s); send or write that command instead",
			l.cmd.Group, g.name, strings.Join(path, " -> "), g.name)
	}
	child.Path = path
	return l.follow(child)
}
