package muster

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"time"
)

// JournalPolicy says what compaction leaves of a journal.
type JournalPolicy uint8

const (
	// KeepAll gives each event a record key of its own, so that compaction keeps the full history. The default.
	KeepAll JournalPolicy = iota
	// KeepLatest keys events by aggregate id, and compaction keeps the last one per aggregate. Each event must give the full state by
	// itself: evolve functions get an empty one. History is gone, and a repeated command whose event was compacted is not known any more;
	// compaction leaves a week for both.
	KeepLatest
)

// Group is a named bounded context: one command topic, one journal, one owner service with any number of replicas. It is a value
// that owner, callers and subscribers share; making one does no I/O.
type Group struct {
	name             string
	partitions       int32
	policy           JournalPolicy
	commandRetention time.Duration
	deadRetention    time.Duration

	mu       sync.Mutex         // guards what follows: contracts are usually made before any goroutine starts, but nothing forces that
	types    map[string]string  // message type name -> what it is: "command", "query" or "event"
	decode   map[string]decoder // of the payloads of commands
	events   map[string]decoder // of the payloads of events
	payloads []reflect.Type     // what the declared messages are made of
	faults   []error            // what is wrong with the contract; reported by Validate
}

// GroupOption is a setting of [NewGroup].
type GroupOption func(*Group)

// Partitions sets the partition count of all topics of the group, 1 to 10,000. It is fixed for life. The default is 12.
func Partitions(n int) GroupOption {
	return func(g *Group) { g.partitions = int32(max(min(n, maxPartitions+1), -1)) } // out of range stays so, instead of wrapping round
}

const maxPartitions = 10_000

// Journal sets the journal policy. The default is [KeepAll].
func Journal(p JournalPolicy) GroupOption { return func(g *Group) { g.policy = p } }

// CommandRetention says how long commands stay in their topic. The default is 7 days.
func CommandRetention(d time.Duration) GroupOption {
	return func(g *Group) { g.commandRetention = d }
}

// DeadLetterRetention says how long dead letters are kept. The default is 30 days.
func DeadLetterRetention(d time.Duration) GroupOption {
	return func(g *Group) { g.deadRetention = d }
}

// groupName leaves room for a prefix and the longest suffix within Kafka's 249 characters for a topic.
var groupName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,149}$`)

// NewGroup declares a group. Mistakes are kept in the value and reported, all at once, when a service opens or [Group.Validate] is called.
func NewGroup(name string, opts ...GroupOption) *Group {
	g := &Group{
		name: name, partitions: 12, commandRetention: 7 * 24 * time.Hour, deadRetention: 30 * 24 * time.Hour,
		types: map[string]string{}, decode: map[string]decoder{}, events: map[string]decoder{},
	}
	for _, opt := range opts {
		opt(g)
	}
	if !groupName.MatchString(name) {
		g.faultf("group %q: a name has 1 to 150 letters, digits, dots, dashes or underscores and begins with a letter or digit", name)
	}
	if name == "replies" || strings.HasPrefix(name, "replies.") {
		g.faultf("group %q: names that begin with \"replies.\" belong to reply topics; choose another", name)
	}
	if g.partitions < 1 || g.partitions > maxPartitions {
		g.faultf("group %q: %d partitions; choose 1 to 10,000", name, g.partitions)
	}
	if g.policy > KeepLatest {
		g.faultf("group %q: unknown journal policy %d; choose KeepAll or KeepLatest", name, g.policy)
	}
	if g.commandRetention < time.Minute || g.deadRetention < time.Minute {
		g.faultf("group %q: a retention is below one minute", name)
	}
	return g
}

// Name gives the group's name.
func (g *Group) Name() string { return g.name }

// Partitions gives the partition count of the group's topics.
func (g *Group) Partitions() int32 { return g.partitions }

// Policy gives the journal policy.
func (g *Group) Policy() JournalPolicy { return g.policy }

// CommandRetention says how long commands stay in their topic.
func (g *Group) CommandRetention() time.Duration { return g.commandRetention }

// DeadLetterRetention says how long dead letters are kept.
func (g *Group) DeadLetterRetention() time.Duration { return g.deadRetention }

// Validate reports everything wrong with the group and the messages declared on it, joined; nil when all is well.
func (g *Group) Validate() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return errors.Join(g.faults...)
}

// CommandTopic gives the name of the command topic under a prefix (a tenant or a stage), which may be empty.
func (g *Group) CommandTopic(prefix string) string { return prefix + g.name + ".commands" }

// JournalTopic gives the name of the journal under a prefix.
func (g *Group) JournalTopic(prefix string) string { return prefix + g.name + ".events" }

// SnapshotTopic gives the name of the snapshots topic under a prefix.
func (g *Group) SnapshotTopic(prefix string) string { return prefix + g.name + ".snapshots" }

// DeadLetterTopic gives the name of the dead letter topic under a prefix.
func (g *Group) DeadLetterTopic(prefix string) string { return prefix + g.name + ".dead" }

// ReplyTopic gives the name of a service's reply topic under a prefix. "replies." stands first, because ACLs match by prefix.
func ReplyTopic(prefix, service string) string { return prefix + "replies." + service }

// ErasuresTopic gives the name of the topic with the erasure ledger of a key space, under a prefix.
func ErasuresTopic(prefix, space string) string { return prefix + space + ".erasures" }

// ControlTopic gives the name of the topic in which the instances of a service agree on its projections, under a prefix.
func ControlTopic(prefix, service string) string { return prefix + "control." + service }

// declare notes a message type and keeps a fault when the name is bad or taken.
func (g *Group) declare(kind, name string, faults ...error) {
	if err := CheckType(name); err != nil {
		g.faultf("group %q: %s %q: %v", g.name, kind, name, err)
	}
	if ReservedType(name) {
		g.faultf("group %q: %s %q: names that begin with %q are the toolkit's own; rename it", g.name, kind, name, reservedPrefix)
	}
	g.mu.Lock()
	taken := g.types[name]
	g.types[name] = kind
	g.mu.Unlock()
	if taken != "" {
		g.faultf("group %q: the name %q is used twice, for a %s and a %s; rename one", g.name, name, taken, kind)
	}
	for _, err := range faults {
		if err != nil {
			g.faultf("group %q: %s %q: %v", g.name, kind, name, err)
		}
	}
}

// DecodeCommand reads the payload of a command as the contract of this build does, whatever its Go type. The error says why it cannot:
// NotFound where the contract has no such command.
func (g *Group) DecodeCommand(codec Codec, cmd *Command) (any, error) {
	g.mu.Lock()
	decode := g.decode[cmd.Type]
	g.mu.Unlock()
	if decode == nil {
		return nil, refuse(NotFound, ReasonUnknownType, "the contract of group %s in this build has no command %s; import the package that declares it", g.name, cmd.Type)
	}
	v, r, err := decode(codec, commandPlace(cmd), cmd.Payload)
	if err == nil {
		err = withheld(r, commandPlace(cmd))
	}
	if err != nil {
		return nil, refuseFault(err, InvalidArgument, ReasonUndecodable, "%v", err)
	}
	return v, nil
}

func (g *Group) faultf(format string, args ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.faults = append(g.faults, fmt.Errorf(format, args...))
}
