package service

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/journal"
	"github.com/seed-3eec0498/muster/producer"
)

// owner is the engine of one owned group: it takes partitions over, recovers their state, and runs the lanes that decide their commands.
type owner struct {
	cfg            Config
	group          *muster.Group
	behaviour      *muster.Behaviour
	log            *slog.Logger
	metrics        *metrics
	clock          *clock
	processor      *muster.Processor
	states         *journal.GroupStore
	consumer       *consumer.Consumer
	producer       *producer.Producer
	replies        *producer.Sender
	reader         consumer.JournalConfig
	board          *board
	takeovers      takeovers
	running        atomic.Int64 // goroutines in handlers; the workers count
	waitingForKeys atomic.Int32 // length of keyWaits, so that a lane need not lock for every batch
	handling       handling
	pulses         []pulse    // by lane
	topicID        [16]byte   // of the journal
	snapshots      *snapshots // of the partitions that are served here
	privacy        *Privacy   // nil where nobody is erased

	mu       sync.Mutex         // guards tenure, hands and keyWaits
	tenure   map[int32]*tenure  // partitions assigned to this instance; the keeper adds and removes
	hands    map[int]*hand      // by loop of a lane: what it is working on
	keyWaits map[int32]*keyWait // partitions whose commands wait for a key
	failed   chan error         // has room for one: what ends the owner
	idle     chan struct{}      // closed once the first assignment is settled
	once     sync.Once          // closes idle
	limit    chan struct{}      // bounds the recoveries that run at once
}

// tenure is the time one partition belongs to this instance.
type tenure struct {
	ctx    context.Context // ends when the partition is revoked, lost, or the owner stops
	cancel context.CancelFunc
	change consumer.Change // what assigned it; serves this assignment and no later one
	done   sync.WaitGroup  // its recovery, and its trimming, when one runs
	turn   sync.Mutex      // held over a recovery, and over removing events

	recoveries atomic.Int64 // that have begun; written with turn held, while the partition is not serving
}

// hand is the partitions a lane has in hand, until done is closed.
type hand struct {
	partitions map[int32]bool
	done       chan struct{}
}

// run works until ctx ends, then finishes what is in hand, bounded by the context hard.
func (o *owner) run(ctx, hard context.Context) error {
	var all sync.WaitGroup
	consuming, stopConsuming := context.WithCancel(hard)
	defer stopConsuming()
	polling, stopPolling := context.WithCancel(ctx)
	defer stopPolling()
	var consumed error
	all.Add(1)
	go func() {
		defer all.Done()
		consumed = o.consumer.Run(consuming)
		stopPolling()
	}()
	var kept sync.WaitGroup
	kept.Add(1)
	go func() { defer kept.Done(); o.keep(consuming, hard) }()
	kept.Go(func() { o.expire(consuming) })
	kept.Go(func() { o.snapshots.run(polling) })
	var lanes sync.WaitGroup
	for i := range o.cfg.lanes() {
		lanes.Add(1)
		go func() { defer lanes.Done(); newLane(o, i).run(polling, hard) }()
	}
	var fatal error
	select {
	case <-polling.Done():
	case fatal = <-o.failed:
		stopPolling()
	}
	lanes.Wait()
	if fatal == nil && ctx.Err() != nil {
		o.snapshots.finish(hard)
	}
	var left error
	if !o.cfg.StayMember {
		left = o.consumer.Leave(hard)
	}
	stopConsuming()
	all.Wait()
	kept.Wait()
	if errors.Is(consumed, context.Canceled) {
		consumed = nil
	}
	return errors.Join(fatal, consumed, left)
}

// expire drops the rows of partitions that were released longer than the warm time ago.
func (o *owner) expire(ctx context.Context) {
	warm := o.cfg.warmTime()
	tick := time.NewTicker(min(max(warm/4, 10*time.Millisecond), time.Minute))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := o.states.Expire(ctx, time.Now().Add(-warm)); err != nil && ctx.Err() == nil {
				o.log.Warn("rows of released partitions were not dropped, trying again", "group", o.group.Name(), "error", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// fail ends the owner with an error; the first one counts.
func (o *owner) fail(err error) {
	select {
	case o.failed <- err:
	default:
	}
}

// keep follows the rebalances.
func (o *owner) keep(ctx, hard context.Context) {
	changes := o.consumer.Changes()
	var sweeps sync.WaitGroup
	defer sweeps.Wait()
	for {
		select {
		case <-ctx.Done():
			o.releaseAll(hard)
			return
		case change, more := <-changes:
			if !more {
				o.releaseAll(hard)
				return
			}
			o.release(hard, change.Revoked, "revoked")
			o.release(hard, change.Lost, "lost")
			for _, p := range change.Assigned {
				o.assign(ctx, change, p)
			}
			if o.handling.effects && len(change.Assigned) > 0 {
				sweeps.Go(func() { o.sweep(ctx) })
			}
			change.Done()
			o.metrics.rebalances.WithLabelValues(o.group.Name()).Inc()
			if len(change.Revoked)+len(change.Lost) == 0 {
				o.once.Do(func() { close(o.idle) })
				o.board.touch()
			}
		}
	}
}

// assign begins the tenure of a partition: its state is recovered, then its commands are served.
func (o *owner) assign(ctx context.Context, change consumer.Change, p int32) {
	o.release(ctx, []int32{p}, "assigned again")
	t := &tenure{change: change}
	t.ctx, t.cancel = context.WithCancel(ctx)
	o.mu.Lock()
	o.tenure[p] = t
	o.mu.Unlock()
	o.restore(p, "assigned")
}

// restore recovers the state of a partition in the background and then lets its commands through. It does nothing when the partition
// is not held any more.
func (o *owner) restore(p int32, why string) {
	o.mu.Lock()
	t := o.tenure[p]
	if t == nil || t.ctx.Err() != nil {
		o.mu.Unlock()
		return
	}
	t.done.Add(1)
	o.mu.Unlock()
	o.board.set(o.group.Name(), p, Recovering, why, nil)
	go func() {
		defer t.done.Done()
		select {
		case o.limit <- struct{}{}:
			defer func() { <-o.limit }()
			t.turn.Lock()
			defer t.turn.Unlock()
			t.recoveries.Add(1)
			o.recover(t, p)
		case <-t.ctx.Done():
		}
	}()
}

// release ends the tenure of partitions: no recovery and no batch has them in hand when it returns. Their rows are kept warm.
func (o *owner) release(ctx context.Context, partitions []int32, why string) {
	for _, p := range partitions {
		o.mu.Lock()
		t := o.tenure[p]
		delete(o.tenure, p)
		o.mu.Unlock()
		if t == nil {
			continue
		}
		t.cancel()
		t.done.Wait()
		o.awaitHands(ctx, p)
		o.forgetKeyWait(p)
		o.processor.Drop(p)
		o.states.Release(p)
		o.board.set(o.group.Name(), p, Released, why, nil)
		o.log.Info("partition released", "group", o.group.Name(), "partition", p, "why", why)
	}
}

func (o *owner) releaseAll(ctx context.Context) {
	o.mu.Lock()
	var held []int32
	for p := range o.tenure {
		held = append(held, p)
	}
	o.mu.Unlock()
	o.release(ctx, held, "stopping")
}

// suspension is partitions that have to be read again, because what is held of them can no longer be trusted.
type suspension struct {
	partitions []int32
	why        string // a stable word, for metrics and status
	cause      error
	reset      bool // their rows are to be dropped, too
	act        action
}

// action is what is done with suspended partitions.
type action uint8

const (
	actRestore   action = iota // they are read again
	actAwaitKeys               // they are as they were, and tried again later
	actStop                    // they stop until an operator acts
)

// hold stops the intake of the partitions. The lane calls it before it puts its work down, so that no other lane gets hold of them.
func (o *owner) hold(s *suspension) {
	for _, p := range s.partitions {
		o.consumer.Hold(p)
		o.board.set(o.group.Name(), p, Recovering, s.why, s.cause)
	}
}

// suspend recovers partitions that are on hold.
func (o *owner) suspend(s *suspension) {
	for _, p := range s.partitions {
		switch s.act {
		case actAwaitKeys:
			o.awaitKeys(p, s.why, s.cause)
			continue
		case actStop:
			o.processor.Drop(p)
			o.stop(p, s.why, s.cause)
			continue
		case actRestore:
		}
		o.forgetKeyWait(p)
		o.log.Warn("partition is read again", "group", o.group.Name(), "partition", p, "why", s.why, "cause", quiet(s.cause))
		o.metrics.suspensions.WithLabelValues(o.group.Name(), s.why).Inc()
		o.processor.Drop(p)
		if s.reset {
			o.rebuild(p, s.why, s.cause)
			if err := o.states.Reset(p, s.why); err != nil {
				o.log.Error("the rows of a partition could not be dropped", "group", o.group.Name(), "partition", p, "error", err)
			}
		}
		o.restore(p, s.why)
	}
}

// take notes what a lane has in hand; put ends it.
func (o *owner) take(lane int, partitions []int32) {
	h := &hand{partitions: make(map[int32]bool, len(partitions)), done: make(chan struct{})}
	for _, p := range partitions {
		h.partitions[p] = true
	}
	o.mu.Lock()
	o.hands[lane] = h
	o.mu.Unlock()
}

func (o *owner) put(lane int) {
	o.mu.Lock()
	h := o.hands[lane]
	delete(o.hands, lane)
	o.mu.Unlock()
	close(h.done)
}

// awaitHands returns when no lane has the partition in hand, or ctx ends.
func (o *owner) awaitHands(ctx context.Context, p int32) {
	o.mu.Lock()
	var busy []chan struct{}
	for _, h := range o.hands {
		if h.partitions[p] {
			busy = append(busy, h.done)
		}
	}
	o.mu.Unlock()
	for _, done := range busy {
		select {
		case <-done:
		case <-ctx.Done():
			return
		}
	}
}

// retryPause is the first and the longest pause of what is tried again for as long as a partition is held.
const (
	retryPause    = 20 * time.Millisecond
	retryPauseTop = 2 * time.Second
)
