package muster

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Start says where the reading of a journal begins.
type Start uint8

// The places to start from. See [FromEarliest], [FromLatest] and [FromTime].
const (
	StartEarliest Start = 1 + iota
	StartLatest
	StartTime
)

// Reading says which events of a group's journal are read, and from where. [ReadOption] values fill it in.
type Reading struct {
	Group *Group
	Start Start
	Time  time.Time  // with StartTime
	After []Position // partitions named here begin behind the position given, whatever Start says

	// UntilEnd ends the reading where the journal ended when it began.
	UntilEnd bool

	Aggregates  []string // only events of these; empty means all
	Type        string   // only events of this type; empty means all
	Causation   string   // only events caused by the message with this id; empty means all
	Correlation string   // only events of this conversation; empty means all
	Where       func(*Event) bool
}

// ReadOption narrows a reading, or says where it starts. It is an option of [NewSubscription], [NewBroadcast] and [Await].
type ReadOption func(*Reading)

// FromEarliest starts with the first event the journal holds.
func FromEarliest() ReadOption { return func(r *Reading) { r.Start = StartEarliest } }

// FromLatest starts with what is committed from now on. An event whose transaction is open now counts as later.
func FromLatest() ReadOption { return func(r *Reading) { r.Start = StartLatest } }

// FromTime starts with the first event written at t or later, by the brokers' clocks. These count in milliseconds: what was written in the
// millisecond of t is read too, as it may be later.
func FromTime(t time.Time) ReadOption {
	return func(r *Reading) { r.Start, r.Time = StartTime, t }
}

// After starts behind each of the positions: give it those of the last events that were handled, as [Meta.Position] tells them, or that of a
// [Receipt]. Partitions without a position start as the other options say.
func After(positions ...Position) ReadOption {
	return func(r *Reading) { r.After = append(r.After, positions...) }
}

// UntilEnd reads up to where the journal ends when the reading begins, and then ends it. Not for a durable subscription.
func UntilEnd() ReadOption { return func(r *Reading) { r.UntilEnd = true } }

// OfAggregates passes over the events of all other aggregates.
func OfAggregates(ids ...string) ReadOption {
	return func(r *Reading) { r.Aggregates = append(r.Aggregates, ids...) }
}

// CausedBy passes over events that were not caused by the command with the given id.
func CausedBy(commandID string) ReadOption { return func(r *Reading) { r.Causation = commandID } }

// Correlated passes over events of other conversations.
func Correlated(id string) ReadOption { return func(r *Reading) { r.Correlation = id } }

// Where passes over events for which fn is false. It is called by several goroutines at once and must be fast.
func Where(fn func(*Event) bool) ReadOption { return func(r *Reading) { r.Where = fn } }

// Wants tells whether an event passes the filters.
func (r *Reading) Wants(e *Event) bool {
	switch {
	case r.Type != "" && e.Type != r.Type,
		r.Causation != "" && e.CausationID != r.Causation,
		r.Correlation != "" && e.CorrelationID != r.Correlation,
		len(r.Aggregates) > 0 && !slices.Contains(r.Aggregates, e.AggregateID):
		return false
	}
	return r.Where == nil || r.Where(e)
}

// Validate reports everything wrong with it, joined; prefix is that of the topics.
func (r *Reading) Validate(prefix string) error {
	if r.Group == nil {
		return errors.New("the group is missing; give the one whose events are read")
	}
	faults := []error{r.Group.Validate()}
	add := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf("group %q: "+format, append([]any{r.Group.name}, args...)...))
		}
	}
	add(r.Start < StartEarliest || r.Start > StartTime, "unknown start %d; use FromEarliest, FromLatest or FromTime", r.Start)
	add(r.Start == StartTime && r.Time.IsZero(), "FromTime with no time; use FromEarliest to read everything")
	seen := map[int32]bool{}
	for _, p := range r.After {
		add(p.Topic != r.Group.JournalTopic(prefix), "position %v is not of journal %s; give one that an event or a receipt of this group told", p, r.Group.JournalTopic(prefix))
		add(p.Partition < 0 || p.Partition >= r.Group.partitions, "position %v: the journal has partitions 0 to %d", p, r.Group.partitions-1)
		add(p.Offset < -1, "position %v: the offset is below -1, which stands for the beginning", p)
		add(seen[p.Partition], "two positions of partition %d; give the later one", p.Partition)
		seen[p.Partition] = true
	}
	for _, id := range r.Aggregates {
		if err := CheckAggregateID(id); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}
