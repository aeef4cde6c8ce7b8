package projector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seed-3eec0498/muster"
)

// OperatorConfig is what an [Operator] needs. Control and Definitions must be set.
type OperatorConfig struct {
	Control     Control
	Definitions []*Definition // of this build
	Prefix      string        // of the topics
	By          string        // who gives the orders, as logs name it; usually the instance
	// Letters reads letters from the instance with the given name, which holds their shards. Nil: letters cannot be listed, and orders about single keys
	// and letters are not possible.
	Letters func(ctx context.Context, instance string, q LetterQuery) ([]Letter, error)
	// Look tells where a journal ends. Nil: no [Operator.Rebuild].
	Look   func(ctx context.Context, source Source) (Look, error)
	Logger *slog.Logger // nil means silence
	Now    func() time.Time
}

// Operator is control over projections, the same on every instance: what it orders reaches those that hold the shards through the control table,
// is durable, and is done once. Its methods return when every holder has done it; when ctx ends before, the order stands all the same, and the
// error (DeadlineExceeded, Cancelled) says for whom it waited. A shard that nobody holds obeys when somebody does. What does not exist is an error
// before anything is written: NotFound, InvalidArgument for a shard, FailedPrecondition where there is nothing to do.
type Operator struct{ config OperatorConfig }

// NewOperator makes one.
func NewOperator(c OperatorConfig) (*Operator, error) {
	if c.Control == nil {
		return nil, errors.New("projector.OperatorConfig: Control is missing; give the control table")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Operator{config: c}, nil
}

// Scope names shards.
type Scope struct {
	Projection string  // a name, or name@version; without a version the one that serves, else the newest
	Shards     []int32 // none: all
}

// scope is a Scope that was found to exist.
type scope struct {
	d      *Definition
	name   string  // name@version
	shards []int32 // all that are meant
	whole  bool    // all there are
	some   []int32 // what an act says: none for all
}

// find checks that what is named exists.
func (o *Operator) find(s Scope) (*scope, error) {
	d, err := o.definition(s.Projection)
	if err != nil {
		return nil, err
	}
	found := &scope{d: d, name: d.String(), some: s.Shards, whole: len(s.Shards) == 0}
	var all []int32
	for _, shard := range d.Shards(o.config.Prefix) {
		all = append(all, shard.Number)
	}
	for _, n := range s.Shards {
		if !slices.Contains(all, n) {
			return nil, muster.Errorf(muster.InvalidArgument, "projection %s has no shard %d; it has %d to %d", d, n, all[0], all[len(all)-1])
		}
	}
	if found.shards = s.Shards; found.whole {
		found.shards = all
	}
	return found, nil
}

// definition finds a projection by its name, with or without a version.
func (o *Operator) definition(name string) (*Definition, error) {
	plain, version, versioned := strings.Cut(name, "@")
	entries, _ := o.config.Control.Entries()
	serving := 0
	if record, is := readServing(entries, plain); is && !versioned {
		serving = record.Version
	}
	var found *Definition
	for _, d := range o.config.Definitions {
		switch {
		case d.name != plain || versioned && strconv.Itoa(d.version) != version:
		case d.version == serving:
			return d, nil
		case found == nil || d.version > found.version:
			found = d
		}
	}
	if found == nil {
		var names []string
		for _, d := range o.config.Definitions {
			names = append(names, d.String())
		}
		return nil, muster.Errorf(muster.NotFound, "there is no projection %q here; there are %s", name, strings.Join(names, ", "))
	}
	return found, nil
}

// Pause has shards stop where they are, with what is in hand done, until they are resumed; also over restarts.
func (o *Operator) Pause(ctx context.Context, s Scope) error {
	at, err := o.find(s)
	if err != nil {
		return err
	}
	for _, key := range at.pauseKeys() {
		value, err := json.Marshal(pauseRecord{Format: controlFormat, By: o.config.By, When: o.config.Now().UTC()})
		if err != nil {
			return err
		}
		if err := o.put(ctx, key, value); err != nil {
			return err
		}
	}
	return o.wait(ctx, at, "pause", func(s *Status) bool { return s.State == Paused })
}

// Resume lets paused shards go on, and has stopped ones try again. One that has stopped with [ReasonTrimmed] goes on without what was trimmed: it accepts the
// mark that its status shows now, and no other, so a shard that only comes to one because it goes on stops there.
func (o *Operator) Resume(ctx context.Context, s Scope) error {
	at, err := o.find(s)
	if err != nil {
		return err
	}
	if err := o.config.Control.Sync(ctx); err != nil {
		return o.unreadable(err)
	}
	entries, _ := o.config.Control.Entries()
	resume := &act{Kind: actResume}
	for _, s := range holding(statuses(entries, at, o.config.Now())) {
		if pos, ok := parsePosition(s.At); ok && s.State == Stopped && s.Reason == ReasonTrimmed {
			resume.At = append(resume.At, actPlace{pos.Topic, pos.Partition, pos.Offset})
		}
	}
	whole := pausedKeys + at.name
	if _, is := entries[whole]; is && !at.whole {
		return muster.Errorf(muster.FailedPrecondition, "projection %s is paused as a whole; resume all of it, then pause the shards that are to stay paused", at.name)
	}
	for key := range entries {
		shard, one := strings.CutPrefix(key, whole+"/")
		n, err := strconv.ParseInt(shard, 10, 32)
		if key != whole && (!one || err != nil || !slices.Contains(at.shards, int32(n))) {
			continue
		}
		if err := o.put(ctx, key, nil); err != nil {
			return err
		}
	}
	return o.order(ctx, at, resume)
}

// Skip has one shard pass over the record it has stopped at, or is trying again, and over no other. It leaves a dead letter.
func (o *Operator) Skip(ctx context.Context, projection string, shard int32) error {
	at, err := o.find(Scope{projection, []int32{shard}})
	if err != nil {
		return err
	}
	all, err := o.status(ctx, at)
	if err != nil {
		return err
	}
	all = holding(all)
	if len(all) == 0 {
		return muster.Errorf(muster.Unavailable, "projection %s: nobody holds shard %d now, so what it stopped at is not known; try again", at.name, shard)
	}
	last := &all[max(0, slices.IndexFunc(all, func(s Status) bool { return s.State == Stopped || s.State == Retrying }))]
	if last.State != Stopped && last.State != Retrying {
		return muster.Errorf(muster.FailedPrecondition, "projection %s: shard %d is %s, so there is no event to skip", at.name, shard, last.State)
	}
	pos, ok := parsePosition(last.At)
	if !ok || last.Reason == ReasonAhead || last.Reason == ReasonRecreated || last.Reason == ReasonTrimmed {
		return muster.Errorf(muster.FailedPrecondition, "projection %s: shard %d did not stop at an event but for %s; restart it or rebuild it", at.name, shard, last.Reason)
	}
	return o.order(ctx, at, &act{Kind: actSkip, At: []actPlace{{pos.Topic, pos.Partition, pos.Offset}}})
}

// Restart has shards go on from other positions: each is that of the first event to be applied again, or anew. Without positions, all start where
// the projection does. Rows stay as they are. Letters of events that come again are removed.
func (o *Operator) Restart(ctx context.Context, s Scope, from ...muster.Position) error {
	at, err := o.find(s)
	if err != nil {
		return err
	}
	a := &act{Kind: actRestart}
	for _, pos := range from {
		place, err := o.placeIn(at, pos)
		if err != nil {
			return err
		}
		a.At = append(a.At, place)
	}
	return o.order(ctx, at, a)
}

// placeIn checks that a position lies in a journal of the shards.
func (o *Operator) placeIn(at *scope, pos muster.Position) (actPlace, error) {
	for _, shard := range at.d.Shards(o.config.Prefix) {
		if slices.Contains(at.shards, shard.Number) && slices.Contains(shard.Sources, Source{pos.Topic, pos.Partition}) && pos.Offset >= 0 {
			return actPlace{pos.Topic, pos.Partition, pos.Offset}, nil
		}
	}
	return actPlace{}, muster.Errorf(muster.InvalidArgument, "position %v is in no journal that these shards of projection %s read", pos, at.name)
}

// order writes an act and waits until it is done.
func (o *Operator) order(ctx context.Context, at *scope, a *act) error {
	a.Format, a.Projection, a.By, a.When = controlFormat, at.name, o.config.By, o.config.Now().UTC()
	a.Shards = at.some
	value, err := json.Marshal(a)
	if err != nil {
		return err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("an id for the order: %w", err)
	}
	number, err := o.config.Control.Put(ctx, actKeys+id.String(), value)
	if err != nil {
		return o.unwritable(err)
	}
	return o.wait(ctx, at, a.Kind, func(s *Status) bool { return s.Acts >= number })
}

func (o *Operator) put(ctx context.Context, key string, value []byte) error {
	if _, err := o.config.Control.Put(ctx, key, value); err != nil {
		return o.unwritable(err)
	}
	return nil
}

func (o *Operator) unwritable(err error) error {
	return muster.Errorf(muster.Unavailable, "the control table cannot be written, so it is not known whether the order stands; when it can be, give it again: %v", err)
}

func (o *Operator) unreadable(err error) error {
	return muster.Errorf(muster.Unavailable, "the control table cannot be read: %v", err)
}

// wait returns when done holds for every shard that somebody holds.
func (o *Operator) wait(ctx context.Context, at *scope, what string, done func(*Status) bool) error {
	if err := o.config.Control.Sync(ctx); err != nil {
		return o.unreadable(err)
	}
	again := time.NewTicker(time.Second) // an instance that has died says nothing more
	defer again.Stop()
	for {
		entries, changed := o.config.Control.Entries()
		var left []string
		for _, s := range holding(statuses(entries, at, o.config.Now())) {
			if !done(&s) {
				left = append(left, fmt.Sprintf("shard %d on %s, which is %s", s.Shard, s.Instance, s.State))
			}
		}
		if len(left) == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-again.C:
		case <-ctx.Done():
			return muster.Errorf(muster.CodeOf(ctx.Err()), "projection %s: the order (%s) stands, but was not carried out in time by %s", at.name, what, strings.Join(left, ", "))
		}
	}
}

func (s *scope) pauseKeys() []string {
	if s.whole {
		return []string{pausedKeys + s.name}
	}
	var keys []string
	for _, n := range s.shards {
		keys = append(keys, pausedKeys+s.name+"/"+strconv.Itoa(int(n)))
	}
	return keys
}
