package producer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/mutant"
	"github.com/seed-3eec0498/muster/kafka"
)

// rotation is the order in which a lane uses its slots.
//
//	0 <= next < len(slots)
//	open == nil  <=>  every earlier transaction of the lane is known committed or known aborted
//	a transaction begins only while open == nil
type rotation struct {
	slots []*slot
	next  int
	open  *slot
}

// errOpen is what take answers when the relation above would break. No input can cause it.
var errOpen = errors.New("an earlier transaction of the lane is not settled; this is a fault in package producer")

// take gives the next slot. Its transaction must be settled before the next take.
func (r *rotation) take() (*slot, error) {
	if r.open != nil {
		return nil, errOpen
	}
	r.open = r.slots[r.next]
	r.next = (r.next + 1) % len(r.slots)
	return r.open, nil
}

// settled notes that the outcome of the slot in hand is known.
func (r *rotation) settled() { r.open = nil }

// Lane commits decisions one after another, in turn with its slots. It is a [muster.Sink].
type Lane struct {
	number int
	p      *Producer

	turn     sync.Mutex // held by whoever commits, settles or closes; guards what follows
	rotation rotation
	warm     bool // the slots have been opened once
	fencings int  // commits in a row that lost their id to another producer
	closed   bool

	slab    *kafka.Slab   // memory for the events of one transaction; given up with a transaction that failed, whose records may still be in use
	records []*kgo.Record // likewise
}

func newLane(p *Producer, number, slots int) *Lane {
	l := &Lane{number: number, p: p}
	for n := range slots {
		id := identity{instance: p.cfg.Instance, lane: number, slot: n}
		l.rotation.slots = append(l.rotation.slots, &slot{
			p: p, id: id.text(p.transactionalGroup()), cfg: p.cfg.Kafka, limit: p.topics.batchLimit, within: p.cfg.transactionTimeout(),
			checking: make(chan struct{}, 1),
		})
	}
	return l
}

// Commit implements [muster.Sink]. It tries for at most the transaction timeout, and where it fails, for as long again to settle the
// transaction. The end of ctx does not stop it: a commit in hand is finished or aborted.
func (l *Lane) Commit(ctx context.Context, d *muster.Decision) error {
	if !l.turn.TryLock() {
		return l.failed(stageBegin, muster.ErrAborted, errors.New("another commit of this lane is running; commits of a lane must follow one another"))
	}
	defer l.turn.Unlock()
	if l.closed {
		return l.failed(stageBegin, muster.ErrAborted, ErrClosed)
	}
	partitions, err := check(d, l.p.cfg.Group)
	if err != nil {
		return l.failed(stageBegin, muster.ErrAborted, err)
	}
	if len(partitions) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.p.cfg.transactionTimeout())
	defer cancel()
	if err := l.settleLocked(ctx); err != nil {
		return l.failed(stageBegin, muster.ErrAborted, err)
	}
	began := time.Now()
	claim, err := l.p.cfg.Claims.Claim(partitions)
	l.p.cfg.observe(StageClaim, began)
	if err != nil {
		return l.failed(StageClaim, outcomeOfClaim(err), err)
	}
	t := &transaction{decision: d, claim: claim, partitions: partitions}
	if d.Writes() {
		return l.transact(ctx, t)
	}
	return l.consume(ctx, t)
}

// Settle makes the outcome of the lane's last transaction certain if it is not: by the time it returns nil, that transaction is committed
// or aborted and its records are no longer hidden behind an undecided one. Commit does this by itself, before and after its work; an engine
// that was told ErrUnknown while no broker could be reached calls it before it reads the journal. ctx bounds it.
func (l *Lane) Settle(ctx context.Context) error {
	l.turn.Lock()
	defer l.turn.Unlock()
	if l.closed {
		return ErrClosed
	}
	return l.settleLocked(ctx)
}

func (l *Lane) settleLocked(ctx context.Context) error {
	open := l.rotation.open
	if open == nil {
		return nil
	}
	open.retire()
	if mutant.NextBeforeKnown {
		l.rotation.settled()
		return nil
	}
	if err := l.p.initialise(ctx, open.id); err != nil {
		return fmt.Errorf("the transaction of %s is not settled yet: %w", open.id, err)
	}
	l.rotation.settled()
	return nil
}

// ready opens the slots of a lane that is used for the first time, all at once, so that the first k commits do not each pay for it.
func (l *Lane) ready(ctx context.Context) {
	if l.warm {
		return
	}
	l.warm = true
	var opening sync.WaitGroup
	for _, s := range l.rotation.slots {
		opening.Go(func() { _ = s.open(ctx, l.p.topics.journal, l.p.topics.dead) }) // the commit that uses the slot reports what is wrong
	}
	opening.Wait()
}

func (l *Lane) close() {
	l.turn.Lock()
	defer l.turn.Unlock()
	l.closed = true
	for _, s := range l.rotation.slots {
		s.retire()
	}
}

// failed makes the error of a commit: outcome is one of the three that [muster.Sink] knows, and the cause stays to be found beside it.
func (l *Lane) failed(stage string, outcome, cause error) error {
	cause = l.p.cfg.Kafka.Map(stage, cause, l.p.rights(stage)...)
	l.p.log.Warn("commit failed", "lane", l.number, "stage", stage, "outcome", outcome, "cause", cause)
	return fmt.Errorf("group %s: lane %d: %w: %w", l.p.cfg.Group.Name(), l.number, outcome, cause)
}

// outcomeOfClaim says what a claim that was not given means for the decision.
func outcomeOfClaim(err error) error {
	if errors.Is(err, muster.ErrFenced) {
		return muster.ErrFenced
	}
	return muster.ErrAborted
}

// check gives the partitions whose offsets move. What is written must lie in them: only these are protected by the claim.
func check(d *muster.Decision, group *muster.Group) ([]int32, error) {
	if d.Group != nil && d.Group.Name() != group.Name() {
		return nil, fmt.Errorf("the decision belongs to group %s", d.Group.Name())
	}
	partitions := make([]int32, len(d.Offsets))
	for i, o := range d.Offsets {
		partitions[i] = o.Partition
	}
	slices.Sort(partitions)
	last := int32(-1)
	covered := func(partition int32) error {
		if partition == last {
			return nil
		}
		if _, ok := slices.BinarySearch(partitions, partition); !ok {
			return fmt.Errorf("the decision writes to partition %d but moves no offset there, so nothing fences the write; give its progress too", partition)
		}
		last = partition
		return nil
	}
	for i := range d.Events {
		if err := covered(d.Events[i].Partition); err != nil {
			return nil, err
		}
	}
	for i := range d.Dead {
		if err := covered(d.Dead[i].Command.Partition); err != nil {
			return nil, err
		}
	}
	for i := range d.Commands {
		if err := covered(d.Commands[i].Origin); err != nil {
			return nil, err
		}
	}
	return partitions, nil
}
