package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/seed-3eec0498/muster"
)

// GroupStore is the state of one group's partitions; it implements [muster.States]. A partition is opened before anything else is asked
// of it, and released when it is revoked.
type GroupStore struct {
	s      *Store
	name   string // prefix and group
	number uint16
	topic  [16]byte  // id of the journal topic, zero when unknown
	opened time.Time // partitions this process has not opened count as released then
	places []place   // by partition
}

var _ muster.States = (*GroupStore)(nil)

// place is where a partition's memory hangs.
type place struct {
	gate     sync.Mutex                // one at a time of Open, Release, Reset, Expire; guards released
	open     atomic.Pointer[partition] // nil while the partition is not open
	released time.Time                 // zero when it was never opened by this process
}

// Failed is [Store.Failed].
func (g *GroupStore) Failed() error { return g.s.Failed() }

// Open makes a partition ready and tells how far its rows are: it reads back which command ids are remembered. Rows that cannot be used
// are wiped, loudly, and the checkpoint says why. Opening an open partition gives its checkpoint and changes nothing.
func (g *GroupStore) Open(partition int32) (Checkpoint, error) {
	place, err := g.place(partition)
	if err != nil {
		return Checkpoint{}, err
	}
	place.gate.Lock()
	defer place.gate.Unlock()
	if err := g.s.begin(); err != nil {
		return Checkpoint{}, err
	}
	defer g.s.disk.End()
	if p := place.open.Load(); p != nil {
		return p.checkpoint(), nil
	}
	p, reason, cause := g.read(partition)
	if reason == "" && cause != nil {
		return Checkpoint{}, cause
	}
	if reason != "" {
		if err := g.wipe(partition, reason, cause); err != nil {
			return Checkpoint{}, err
		}
		p = g.empty(partition)
	}
	place.open.Store(p)
	at := p.checkpoint()
	at.Wiped = reason
	return at, nil
}

// Checkpoint tells how far an open partition is, and false when it is not open.
func (g *GroupStore) Checkpoint(partition int32) (Checkpoint, bool) {
	p, err := g.held(partition)
	if err != nil {
		return Checkpoint{}, false
	}
	return p.checkpoint(), true
}

// Release gives the memory of a partition free and keeps its rows warm, until [GroupStore.Expire]. It waits for
// a Store in hand.
func (g *GroupStore) Release(partition int32) {
	place, err := g.place(partition)
	if err != nil {
		return
	}
	place.gate.Lock()
	defer place.gate.Unlock()
	if p := place.open.Swap(nil); p != nil {
		p.storing.Lock()
		p.gone = true
		p.storing.Unlock()
		place.released = g.s.cfg.now()()
	}
}

// Reset drops the rows of a partition, open or not, because they do not fit the journal or cannot be read; it is at offset 0 afterwards.
// The reason is a word for log and metrics. A Store of the partition at the same time comes before or after it.
func (g *GroupStore) Reset(partition int32, reason string) error {
	return g.reset(partition, reason)
}

// reset is Reset; without a reason it is silent.
func (g *GroupStore) reset(partition int32, reason string) error {
	place, err := g.place(partition)
	if err != nil {
		return err
	}
	place.gate.Lock()
	defer place.gate.Unlock()
	if err := g.s.begin(); err != nil {
		return err
	}
	defer g.s.disk.End()
	p := place.open.Load()
	if p == nil {
		return g.wipe(partition, reason, nil)
	}
	p.storing.Lock()
	defer p.storing.Unlock()
	if err := g.wipe(partition, reason, nil); err != nil {
		return err
	}
	fresh := g.empty(partition)
	p.mu.Lock()
	defer p.mu.Unlock()
	// Sequences go on, so that who has just found a place in the old window never reads there what comes after.
	fresh.meta.first, fresh.meta.next = p.meta.next, p.meta.next
	p.meta, p.window, p.covered = fresh.meta, newWindow(p.meta.next), 0
	return nil
}

// Expire drops the rows of partitions that were released before a moment and are not open. A partition that this process has never had
// open counts as released when the group was opened, so that a restart keeps what it finds for a whole grace period.
func (g *GroupStore) Expire(ctx context.Context, before time.Time) error {
	var faults []error
	for n := range g.places {
		if ctx.Err() != nil {
			return errors.Join(append(faults, ctx.Err())...)
		}
		if err := g.expire(ctx, int32(n), before); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

func (g *GroupStore) expire(ctx context.Context, partition int32, before time.Time) error {
	place := &g.places[partition]
	place.gate.Lock()
	defer place.gate.Unlock()
	since := place.released
	if since.IsZero() {
		since = g.opened
	}
	if place.open.Load() != nil || !since.Before(before) {
		return nil
	}
	if err := g.s.begin(); err != nil {
		return err
	}
	defer g.s.disk.End()
	doing := "expire " + g.title(partition)
	start := prefixOf(g.number, partition)
	end := start.end()
	if there, err := g.s.anyRow(start); err != nil || !there {
		return g.s.fault(doing, err)
	}
	// Excising drops whole tables where it can, and leaves no tombstone for later reads to step over.
	err := g.s.db.Excise(ctx, pebble.KeyRange{Start: start[:], End: end[:]})
	if err != nil {
		return g.s.fault(doing, err)
	}
	g.report(partition, ReasonExpired, nil)
	return g.s.Failed()
}

// wipe drops the rows of a partition and says so. It writes a tombstone over the range, which needs nothing of what it covers: that may be
// corrupt.
func (g *GroupStore) wipe(partition int32, reason string, cause error) error {
	start := prefixOf(g.number, partition)
	end := start.end()
	if err := g.s.db.DeleteRange(start[:], end[:], pebble.Sync); err != nil {
		return g.s.fault("wipe "+g.title(partition), err)
	}
	if err := g.s.Failed(); err != nil {
		return err
	}
	if reason != "" {
		g.report(partition, reason, cause)
	}
	return nil
}

func (g *GroupStore) report(partition int32, reason string, cause error) {
	log := g.s.log.Error
	if reason == ReasonExpired {
		log = g.s.log.Info
	}
	log("stored state of a partition was dropped; it is built anew from the journal when the partition is next held",
		"group", g.name, "partition", partition, "reason", reason, "error", cause)
	g.s.cfg.Observe.rebuilt(Rebuilt{Group: g.name, Partition: partition, Reason: reason, Cause: cause})
}

func (g *GroupStore) title(partition int32) string { return fmt.Sprintf("%s[%d]", g.name, partition) }

func (g *GroupStore) place(partition int32) (*place, error) {
	if partition < 0 || int(partition) >= len(g.places) {
		return nil, fmt.Errorf("group %s has partitions 0 to %d, not %d", g.name, len(g.places)-1, partition)
	}
	return &g.places[partition], nil
}

// held gives an open partition.
func (g *GroupStore) held(number int32) (*partition, error) {
	place, err := g.place(number)
	if err != nil {
		return nil, err
	}
	p := place.open.Load()
	if p == nil {
		return nil, g.notHeld(number)
	}
	return p, nil
}

// begin starts a call that touches the rows of an open partition; the caller ends it with disk.End, unless it got an error.
func (g *GroupStore) begin(number int32) (*partition, error) {
	p, err := g.held(number)
	if err != nil {
		return nil, err
	}
	return p, g.s.begin()
}

// beginWrite is begin for a call that changes the rows, one at a time; the caller ends it with endWrite, unless it got an error.
func (g *GroupStore) beginWrite(number int32) (*partition, error) {
	p, err := g.begin(number)
	if err != nil {
		return nil, err
	}
	p.storing.Lock()
	if p.gone {
		g.endWrite(p)
		return nil, g.notHeld(number)
	}
	return p, nil
}

func (g *GroupStore) endWrite(p *partition) {
	p.storing.Unlock()
	g.s.disk.End()
}

func (g *GroupStore) notHeld(number int32) error {
	return fmt.Errorf("%s is not open in the state store, open it first: %w", g.title(number), muster.ErrNotHeld)
}
