package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/seed-3eec0498/muster"
)

// snapshots writes the changed states of the served partitions to the snapshots topic, in the background: no lane waits for it. What it
// writes is read from the local store, so it is committed; it may lag behind, and a pass says how far it is complete.
//
//	pass: scan the store for states behind the last pass ─▶ write them in transactions ─▶ the pass record in the last one ─▶ note it
//
// A pass that is interrupted has written states that are newer than what the pass before covers. They do no harm: whoever loads them
// passes over the events they have.
type snapshots struct {
	o     *owner
	every int64 // journal offsets; negative: none are written
	piece int   // see trimPiece

	wake  chan struct{}     // has room for one; stored puts, run takes
	trims chan *trimRequest // ask puts, run takes

	passing sync.Mutex // held over a pass, so that none lays what it read before over what another wrote since

	mu     sync.Mutex          // guards what follows
	due    []int32             // partitions to go over, each once
	queued map[int32]bool      // which ones are in due or in hand
	rest   map[int32]time.Time // a pass failed: not again before
}

const (
	// snapshotStates and snapshotBytes bound one transaction of snapshots.
	snapshotStates = 10_000
	snapshotBytes  = 4 << 20

	// snapshotPause is how long a partition is left alone after a pass that failed.
	snapshotPause = 10 * time.Second
)

func newSnapshots(o *owner) *snapshots {
	return &snapshots{
		o: o, every: o.cfg.Recovery.snapshotEvery(), piece: trimPiece,
		wake: make(chan struct{}, 1), trims: make(chan *trimRequest), queued: map[int32]bool{}, rest: map[int32]time.Time{},
	}
}

// stored hears how far partitions have been stored. A partition that is far enough behind its last pass becomes due.
func (s *snapshots) stored(changes []muster.Changes) {
	if s.every < 0 {
		return
	}
	for i := range changes {
		p := changes[i].Partition
		covered, err := s.o.states.Covered(p)
		if err != nil || changes[i].Next-covered < s.every {
			continue
		}
		s.mu.Lock()
		if !s.queued[p] && time.Now().After(s.rest[p]) {
			s.queued[p], s.due = true, append(s.due, p)
			select {
			case s.wake <- struct{}{}:
			default:
			}
		}
		s.mu.Unlock()
	}
}

// run goes over the partitions that are due, one after another, until ctx ends.
func (s *snapshots) run(ctx context.Context) {
	for {
		select {
		case <-s.wake:
		case r := <-s.trims:
			r.begin(ctx, s)
		case <-ctx.Done():
			return
		}
		for p, ok := s.take(); ok && ctx.Err() == nil; p, ok = s.take() {
			_, err := s.pass(ctx, p, false)
			s.done(p, err)
		}
	}
}

func (s *snapshots) take() (int32, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.due) == 0 {
		return 0, false
	}
	p := s.due[0]
	s.due = s.due[1:]
	return p, true
}

func (s *snapshots) done(p int32, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.queued, p)
	delete(s.rest, p)
	if err != nil {
		s.rest[p] = time.Now().Add(snapshotPause)
	}
}

// finish goes over everything that is served, because the service stops: whoever takes over without state of its own has little to read. It
// takes at most half of the time to drain; what it does not get done is what the next owner reads from the journal.
func (s *snapshots) finish(ctx context.Context) {
	if s.every < 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.cfg.drainTimeout()/2)
	defer cancel()
	for _, p := range s.o.served() {
		if ctx.Err() != nil {
			return
		}
		if _, err := s.pass(ctx, p, false); err != nil {
			return
		}
	}
}

// served gives the partitions that are served here, in order.
func (o *owner) served() []int32 {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []int32
	for p, t := range o.tenure {
		if t.ctx.Err() == nil && o.board.state(o.group.Name(), p) == Serving {
			all = append(all, p)
		}
	}
	slices.Sort(all)
	return all
}

// pass writes what has changed since the last pass; with always it writes a pass even when nothing has. An error has been logged.
func (s *snapshots) pass(ctx context.Context, p int32, always bool) (*muster.SnapshotPass, error) {
	s.passing.Lock()
	defer s.passing.Unlock()
	covered, err := s.o.states.Covered(p)
	if err != nil {
		return nil, err
	}
	return s.passFrom(ctx, p, covered, always)
}

// passAll writes a pass with all states, whatever was written before.
func (s *snapshots) passAll(ctx context.Context, p int32) (*muster.SnapshotPass, error) {
	s.passing.Lock()
	defer s.passing.Unlock()
	return s.passFrom(ctx, p, 0, true)
}

// passFrom writes a pass with the states whose last event lies at a journal offset or behind it.
func (s *snapshots) passFrom(ctx context.Context, p int32, covered int64, always bool) (*muster.SnapshotPass, error) {
	began := time.Now()
	written, pass, err := s.write(ctx, p, covered, always)
	if err == nil && written == 0 {
		return pass, nil
	}
	name, result := s.o.group.Name(), "complete"
	if err != nil {
		result = "failed"
		s.o.log.Warn("snapshots were not completed; recovery reads more of the journal until they are", "group", name, "partition", p, "error", err)
	} else {
		s.o.log.Info("snapshots written", "group", name, "partition", p, "states", written, "took", time.Since(began))
	}
	s.o.metrics.snapshotted.WithLabelValues(name).Add(float64(written))
	s.o.metrics.passes.WithLabelValues(name, result).Observe(time.Since(began).Seconds())
	return pass, err
}

func (s *snapshots) write(ctx context.Context, p int32, covered int64, always bool) (written int, pass *muster.SnapshotPass, err error) {
	if at, held := s.o.states.Checkpoint(p); !always && (!held || at.LastAt < covered) {
		return 0, nil, nil // no event since
	}
	var chunk []muster.StoredState
	bytes := 0
	send := func(pass *muster.SnapshotPass) error {
		if err := s.o.producer.WriteSnapshots(ctx, p, chunk, pass); err != nil {
			return err
		}
		written += len(chunk)
		chunk, bytes = chunk[:0], 0
		return nil
	}
	view, err := s.o.states.Changed(p, covered, func(state muster.StoredState) error {
		chunk, bytes = append(chunk, state), bytes+len(state.Data)
		if len(chunk) < snapshotStates && bytes < snapshotBytes {
			return nil
		}
		return errors.Join(ctx.Err(), send(nil))
	})
	if err != nil {
		return written, nil, err
	}
	pass = &muster.SnapshotPass{
		Partition: p, Journal: view.Next, Answers: view.Next, LastEvent: view.LastEvent, LastAt: view.LastAt, TopicID: s.o.topicID,
		States: view.States, Time: s.o.clock.Now(),
	}
	oldest, found, err := s.o.states.OldestAnswer(p)
	if err != nil {
		return written, nil, err
	}
	if found {
		pass.Answers = min(oldest, view.Next)
	}
	if err := send(pass); err != nil {
		return written, nil, err
	}
	s.o.cfg.failpoint("snapshotted")
	if err := s.o.states.SetCovered(p, view.Next); err != nil {
		return written, nil, fmt.Errorf("the pass is written, and not noted: %w", err)
	}
	return written, pass, nil
}
