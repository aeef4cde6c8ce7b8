package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// TrimOptions say what [Service.Trim] removes. OlderThan or Keep must be set; where both are, an event goes when both let it.
type TrimOptions struct {
	// OlderThan spares an event that was written then or later, and whatever lies behind it in its partition. Zero means no limit by age,
	// besides that of the dedup window.
	OlderThan time.Time

	// Keep is how many events of each aggregate stay, the newest ones; more stay of a command that has some on either side, and of an
	// aggregate that is busy meanwhile. Zero means one; the last event of an aggregate always stays.
	Keep int

	// HoldFor names other services whose projections must have read what is removed; a service that runs none which reads the group is refused. The
	// projections of this service always count.
	HoldFor []string

	// DryRun writes nothing, neither tombstones nor snapshots, and counts what would be removed now.
	DryRun bool
}

func (o *TrimOptions) keep() uint64 { return uint64(max(o.Keep, 1)) }

func (o *TrimOptions) check(g *muster.Group) error {
	switch {
	case o.Keep < 0:
		return muster.Errorf(muster.InvalidArgument, "trim %s: Keep is %d; zero means one event of each aggregate", g.Name(), o.Keep)
	case o.OlderThan.IsZero() && o.Keep == 0:
		return muster.Errorf(muster.InvalidArgument, "trim %s: neither OlderThan nor Keep is set; say what may go", g.Name())
	}
	return nil
}

// Trimmed is what [Service.Trim] did.
type Trimmed struct {
	Partitions []int32                      // that were gone over, all of those this instance serves unless there was an error
	Events     int                          // that were removed from their journals, or would have been
	Held       map[int32]projector.ReadUpTo // by partition: nothing at or behind the offset was removed, because that projection has not read it; none: no projection counts
}

// ErrTrimBusy is the answer of [Service.Trim] when a partition is being recovered or changes hands: call it again later.
var ErrTrimBusy = errors.New("the partition is not served here, or is being recovered")

// Trim removes old events of a group from the partitions of its journal that this instance serves; to trim all of them call it on every
// instance. There is no undo, and nothing trims by itself. An event goes when all of this holds:
//
//   - the options let it go;
//   - it is not of the command that wrote the last event of its aggregate, so the events of one command stay together;
//   - no command is remembered whose event lies before it, so a repeated command gets its answer as before (DedupWindow);
//   - a snapshot that includes it has been written and read back;
//   - every projection of this service that reads the group has applied it, and those of the services in HoldFor: what a lagging, paused or stopped
//     shard has still to read stays. Where it is not known how far a projection is, nothing is trimmed and the error is Unavailable.
//
// Whoever reads the journal does not see trimmed events any more: subscriptions from the beginning, [Service.History], projections that
// are built anew. Nothing but HoldFor protects projections of other services, and nothing those that begin later, or have said nothing for a week. From then on the snapshots topic is a part of the truth; design note 0017 says what that asks of backups and of changes to the type
// of the state. All instances of the service must be of a build that knows Trim.
//
// Events are removed by tombstones, and the broker frees the space when it compacts the log. While they are written, 20,000 in one piece,
// the partition's commands wait for as long as a short recovery takes. Memory: about 200 bytes per aggregate of one partition. After an error what
// was done stays, and calling it again goes on. It is refused for KeepLatest groups, where compaction does this, and where snapshots are off.
func (s *Service) Trim(ctx context.Context, g *muster.Group, options TrimOptions) (Trimmed, error) {
	var done Trimmed
	o := s.ownerOf(g)
	switch {
	case o == nil:
		return done, fmt.Errorf("trim %s: service %s does not own the group: %w", g.Name(), s.cfg.Name, muster.ErrNotHeld)
	case g.Policy() == muster.KeepLatest:
		return done, muster.Errorf(muster.FailedPrecondition, "trim %s: its journal keeps the latest event of each aggregate; compaction removes the others", g.Name())
	case o.snapshots.every < 0:
		return done, muster.Errorf(muster.FailedPrecondition, "trim %s: snapshots are off, and trimmed events are gone without them; set Recovery.SnapshotEvery", g.Name())
	}
	if err := options.check(g); err != nil {
		return done, err
	}
	held, err := s.holdBack(ctx, g, options.HoldFor)
	if err != nil {
		return done, err
	}
	done.Held = held
	for _, p := range o.served() {
		n, err := o.snapshots.ask(ctx, s.closed, p, options, held[p])
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
	caller    context.Context //nolint:containedctx // of the call that waits for done
	running   context.Context //nolint:containedctx // of the goroutine that does it, which sets it
	partition int32
	options   TrimOptions
	held      projector.ReadUpTo // nothing from its offset on goes, where it names a projection
	done      chan trimResult    // has room for one
}

type trimResult struct {
	events int
	err    error
}

// ask has a partition trimmed and waits for it.
func (s *snapshots) ask(ctx context.Context, closed <-chan struct{}, p int32, options TrimOptions, held projector.ReadUpTo) (int, error) {
	r := &trimRequest{caller: ctx, partition: p, options: options, held: held, done: make(chan trimResult, 1)}
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

// begin does it in the goroutine that ctx belongs to.
func (r *trimRequest) begin(ctx context.Context, s *snapshots) {
	r.running = ctx
	r.done <- s.trim(r) //nolint:contextcheck // trim joins it with those of the caller and the tenure
}

// trim does what was asked for, for as long as the partition is held, the caller waits, and the goroutine lasts.
func (s *snapshots) trim(r *trimRequest) trimResult {
	t := s.o.borrow(r.partition)
	if t == nil {
		return trimResult{err: ErrTrimBusy}
	}
	defer t.done.Done()
	joined, cancel := context.WithCancelCause(r.caller)
	defer cancel(nil)
	defer context.AfterFunc(r.running, func() { cancel(ErrClosed) })()
	defer context.AfterFunc(t.ctx, func() { cancel(ErrTrimBusy) })()
	began, job := time.Now(), &trimming{o: s.o, s: s, ctx: joined, tenure: t, partition: r.partition, options: r.options, held: r.held}
	err := job.run()
	if err != nil && joined.Err() != nil {
		err = errors.Join(context.Cause(joined), err)
	}
	log := s.o.log.With("group", s.o.group.Name(), "partition", r.partition, "events", job.removed, "took", time.Since(began),
		"older_than", r.options.OlderThan, "keep", r.options.keep(), "dry_run", r.options.DryRun, "held_by", r.held.Projection, "held_at", r.held.Offset)
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
