package service

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/journal"
)

// lane is one batch loop: poll, decide, commit, store, reply, one batch after another. Nothing waits for a timer: a batch is what arrived
// while the one before was committed.
//
// While there is a backlog a second hand works beside the first one, on other partitions: it decides, stores and answers while the first one
// commits. Where stateless handlers may wait for something there are more hands, each with one partition at a time, backlog or not.
// Transactions of the lane still follow one another.
type lane struct {
	o       *owner
	index   int
	sink    sink
	workers *workers
	pulse   *pulse
	turn    sync.Mutex // held over a commit, and over settling one
}

// sink is a [muster.Sink] that can be asked to settle a transaction whose outcome it could not learn.
type sink interface {
	muster.Sink
	Settle(ctx context.Context) error
}

func newLane(o *owner, index int) *lane {
	l := &lane{o: o, index: index, sink: o.producer.Lane(index), workers: newWorkers(o.handling.workers, o.cfg.handlerDeadline(), &o.running), pulse: &o.pulses[index]}
	l.workers.beat = l.pulse.beat
	return l
}

// run works until ctx ends; the batches in hand then are finished, bounded by hard.
func (l *lane) run(ctx, hard context.Context) {
	hands := l.o.handling.hands
	poll := l.o.consumer.PollBacklog
	if l.o.handling.effects {
		poll = l.o.consumer.Poll
	}
	var others sync.WaitGroup
	defer others.Wait()
	for n := 1; n < hands; n++ {
		others.Go(func() { l.hand(ctx, hard, hands*l.index+n, poll) })
	}
	l.hand(ctx, hard, hands*l.index, l.o.consumer.Poll)
}

// hand is one of the loops of a lane; number tells it from all others of the owner.
func (l *lane) hand(ctx, hard context.Context, number int, poll func(context.Context, int) (*consumer.Work, error)) {
	again := pause{}
	for {
		work, err := poll(ctx, l.index)
		if err != nil {
			return // ctx ended, or the consumer did; its Run tells why
		}
		l.o.take(number, work.Partitions())
		l.pulse.begin()
		done, suspend := l.process(hard, work)
		if suspend != nil {
			l.o.hold(suspend)
		}
		work.Done(done)
		if suspend != nil {
			l.o.suspend(suspend) // while it is in hand: a release, and the assignment after it, wait
		}
		l.pulse.end()
		l.o.put(number)
		if done > 0 || suspend != nil {
			again = pause{}
		} else if !again.wait(ctx) { // fenced or revoked: the group needs a moment to tell us
			return
		}
	}
}

// process decides and commits one batch. It gives the number of commands that are finished, and what has to be read again.
func (l *lane) process(hard context.Context, work *consumer.Work) (done int, suspend *suspension) {
	for _, wait := range l.o.takeovers.began(work.Commands, l.o.clock.Now()) {
		l.o.metrics.takeover.WithLabelValues(l.o.group.Name()).Observe(wait.Seconds())
	}
	batch := muster.Batch{Commands: work.Commands, Now: l.o.clock.Now(), Attempt: 1, Progress: work.Progress()}
	culprits, again := map[string]*muster.RecordFault{}, pause{}
	for {
		l.pulse.beat()
		l.o.cfg.failpoint("polled")
		if !work.Current() {
			return 0, nil // a partition of it was revoked meanwhile; what is still ours comes again
		}
		round, err := l.o.processor.Begin(&batch, culprits)
		if err != nil {
			return 0, nil // released since it was polled
		}
		l.decide(hard, round)
		if hard.Err() != nil {
			round.Abort()
			return 0, nil // the time to drain is over; the next owner decides it
		}
		if err := round.Err(); err != nil {
			round.Abort()
			return 0, l.undecidable(work, err)
		}
		l.o.cfg.failpoint("decided")
		decision := round.Decision()
		end := l.o.span(hard, muster.StageCommit, batch.Commands[:round.Taken()])
		err = l.commit(hard, decision)
		end(err)
		if err == nil {
			l.o.keysBack(work.Partitions())
			l.await(round, work)
			return round.Taken(), l.settle(hard, round, work)
		}
		l.o.metrics.aborted(l.o.group.Name(), err)
		if errors.Is(err, muster.ErrUnknown) {
			return l.resolve(hard, &unknown{round: round, decision: decision, work: work, before: batch.Progress, cause: err})
		}
		round.Abort()
		if errors.Is(err, muster.ErrFenced) {
			l.o.log.Warn("fenced; the batch belongs to the new owner", "group", l.o.group.Name(), "lane", l.index, "partitions", work.Partitions(), "error", err)
			return 0, nil
		}
		for _, fault := range muster.RecordFaults(err) {
			culprits[fault.CommandID] = fault
		}
		l.o.log.Warn("transaction aborted, deciding again", "group", l.o.group.Name(), "lane", l.index, "partitions", work.Partitions(), "attempt", batch.Attempt, "error", err)
		if !again.wait(hard) {
			return 0, nil
		}
		batch.Now, batch.Attempt = l.o.clock.Now(), batch.Attempt+1
	}
}

// A slice is decided, then the next one, larger: so a batch's output stays bounded although nothing is known about it beforehand.
const (
	firstSlice  = 128
	outputBound = 16 << 20 // bytes of events and answers after which the rest of the batch waits for the next transaction
)

func (l *lane) decide(ctx context.Context, round *muster.Round) {
	began := time.Now()
	for n := l.o.handling.slice; round.Produced() < outputBound && time.Since(began) < l.o.handling.patience; n *= 2 {
		units := round.Slice(n)
		if len(units) == 0 {
			break
		}
		l.workers.run(ctx, units)
	}
	l.o.metrics.stage(l.o.group.Name(), "decide", time.Since(began))
	l.o.metrics.batch.WithLabelValues(l.o.group.Name()).Observe(float64(round.Taken()))
	l.o.metrics.output.WithLabelValues(l.o.group.Name()).Observe(float64(round.Produced()))
}

func (l *lane) commit(ctx context.Context, decision *muster.Decision) error {
	l.turn.Lock()
	defer l.turn.Unlock()
	began := time.Now()
	err := l.sink.Commit(ctx, decision)
	l.o.metrics.stage(l.o.group.Name(), "commit", time.Since(began))
	if err == nil {
		l.o.metrics.committed(l.o.group.Name(), decision)
		l.o.buried(decision)
	}
	return err
}

// settle stores what a committed round changed and then sends the replies: who holds a reply holds a fact.
func (l *lane) settle(ctx context.Context, round *muster.Round, work *consumer.Work) (suspend *suspension) {
	l.o.cfg.failpoint("committed")
	changes, replies, gaps := round.Settle()
	if len(gaps) > 0 {
		suspend = &suspension{partitions: gaps, why: "foreign-writer", cause: errForeignWriter}
	}
	began, end := time.Now(), l.o.span(ctx, muster.StageStore, work.Commands[:round.Taken()])
	err := l.o.states.Store(ctx, changes)
	end(err)
	l.o.metrics.stage(l.o.group.Name(), "store", time.Since(began))
	if err != nil {
		// The events are facts, so the replies may go; what this process holds in memory may not be used any more.
		suspend = &suspension{partitions: work.Partitions(), why: "store", cause: err}
	} else {
		l.o.snapshots.stored(changes)
	}
	l.o.cfg.failpoint("stored")
	end = l.o.span(ctx, muster.StageReply, work.Commands[:round.Taken()])
	dropped, err := l.o.replies.SendReplies(ctx, replies)
	end(err)
	if err != nil {
		l.o.log.Warn("replies were not sent; callers that retry with the same id get them", "group", l.o.group.Name(), "lane", l.index, "partitions", work.Partitions(), "error", err)
	}
	l.o.metrics.replied(l.o.group.Name(), replies, dropped)
	l.o.cfg.failpoint("answered")
	return suspend
}

var errForeignWriter = errors.New("new events do not lie where this owner's own writes put them")

// undecidable sorts the failures that are no refusals: which partitions have to be recovered, and how.
func (l *lane) undecidable(work *consumer.Work, err error) *suspension {
	if sealed := unsealable(err); sealed != nil {
		return sealed
	}
	if fault, ok := errors.AsType[*muster.StateFault](err); ok {
		return &suspension{partitions: []int32{fault.Partition}, why: "state", cause: err, reset: true}
	}
	return &suspension{partitions: work.Partitions(), why: "store", cause: err, reset: errors.Is(err, journal.ErrCorrupt)}
}
