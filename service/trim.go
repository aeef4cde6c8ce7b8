package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-3eec0498/muster"
)

// Trimmed is what [Service.Trim] did.
type Trimmed struct {
	Partitions []int32 // that were gone over, all of those this instance serves unless there was an error
	Events     int     // that were removed from their journals
}

// ErrTrimBusy is the answer of [Service.Trim] when a partition is being recovered or changes hands: call it again later.
var ErrTrimBusy = errors.New("the partition is not served here, or is being recovered")

// Trim removes old events of a group from the partitions of its journal that this instance serves; to trim all of them call it on every
// instance. There is no undo, and nothing trims by itself. An event goes when all of this holds:
//
//   - it was written before olderThan, and so were all events before it in its partition;
//   - it is not the last event of its aggregate;
//   - no command is remembered whose event lies before it, so a repeated command gets its answer as before (DedupWindow);
//   - a snapshot that includes it has been written and read back.
//
// Whoever reads the journal does not see trimmed events any more: subscriptions from the beginning, [Service.History], projections that
// are built anew. From then on the snapshots topic is a part of the truth; design note 0017 says what that asks of backups and of changes to the type
// of the state. All instances of the service must be of a build that knows Trim.
//
// Events are removed by tombstones, and the broker frees the space when it compacts the log. While they are written, 20,000 in one piece,
// the partition's commands wait for as long as a short recovery takes. Memory: about 200 bytes per aggregate of one partition. After an error what
// was done stays, and calling it again goes on. It is refused for KeepLatest groups, where compaction does this, and where snapshots are off.
func (s *Service) Trim(ctx context.Context, g *muster.Group, olderThan time.Time) (Trimmed, error) {
	var done Trimmed
	o := s.ownerOf(g)
	switch {
	case o == nil:
		return done, fmt.Errorf("trim %s: service %s does not own the group: %w", g.Name(), s.cfg.Name, muster.ErrNotHeld)
	case g.Policy() == muster.KeepLatest:
		return done, muster.Errorf(muster.FailedPrecondition, "trim %s: its journal keeps the latest event of each aggregate; compaction removes the others", g.Name())
	case o.snapshots.every < 0:
		return done, muster.Errorf(muster.FailedPrecondition, "trim %s: snapshots are off, and trimmed events are gone without them; set Recovery.SnapshotEvery", g.Name())
	case olderThan.IsZero():
		return done, muster.Errorf(muster.InvalidArgument, "trim %s: olderThan is zero; give the time up to which events may go", g.Name())
	}
	for _, p := range o.served() {
		n, err := o.snapshots.ask(ctx, s.closed, p, olderThan)
		done.Events += n
		if err != nil {
			return done, fmt.Errorf("trim %s[%d]: %w", g.Name(), p, err)
		}
		done.Partitions = append(done.Partitions, p)
	}
	return done, nil
}

func (s *Service) ownerOf(g *muster.Group) *owner {
	for _, o := range s.owners {
		if o.group.Name() == g.Name() {
			return o
		}
	}
	return nil
}

// trimRequest is one partition to trim. The goroutine that writes snapshots does it, so no pass of the partition runs beside it.
type trimRequest struct {
	ctx       context.Context //nolint:containedctx // of the call that waits for done
	partition int32
	olderThan time.Time
	done      chan trimResult // has room for one
}

type trimResult struct {
	events int
	err    error
}

// ask has a partition trimmed and waits for it.
func (s *snapshots) ask(ctx context.Context, closed <-chan struct{}, p int32, olderThan time.Time) (int, error) {
	r := &trimRequest{ctx: ctx, partition: p, olderThan: olderThan, done: make(chan trimResult, 1)}
	select {
	case s.trims <- r:
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	case <-closed:
		return 0, ErrClosed
	}
	result := <-r.done // it ends soon after ctx
	return result.events, result.err
}

// trim does what was asked for, for as long as the partition is held, the caller waits, and ctx lasts.
func (s *snapshots) trim(ctx context.Context, r *trimRequest) trimResult {
	t := s.o.borrow(r.partition)
	if t == nil {
		return trimResult{err: ErrTrimBusy}
	}
	defer t.done.Done()
	joined, cancel := context.WithCancelCause(r.ctx)
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() { cancel(ErrClosed) })()
	defer context.AfterFunc(t.ctx, func() { cancel(ErrTrimBusy) })()
	began, job := time.Now(), &trimming{o: s.o, s: s, tenure: t, partition: r.partition, olderThan: r.olderThan}
	err := job.run(joined)
	if err != nil && joined.Err() != nil {
		err = errors.Join(context.Cause(joined), err)
	}
	log := s.o.log.With("group", s.o.group.Name(), "partition", r.partition, "events", job.removed, "took", time.Since(began))
	if err != nil {
		log.Warn("journal was not trimmed to the end; what is done is whole, so call it again", "error", quiet(err))
	} else {
		log.Info("journal trimmed", "before", job.mark.Before)
	}
	return trimResult{job.removed, err}
}

// borrow gives the tenure of a partition, which does not end before its done is told; nil when the partition is not held.
func (o *owner) borrow(p int32) *tenure {
	o.mu.Lock()
	defer o.mu.Unlock()
	t := o.tenure[p]
	if t == nil || t.ctx.Err() != nil {
		return nil
	}
	t.done.Add(1)
	return t
}
