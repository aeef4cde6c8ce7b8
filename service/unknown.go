package service

import (
	"context"
	"slices"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/internal/mutant"
)

// unknown is a round whose commit was not answered.
type unknown struct {
	round    *muster.Round
	decision *muster.Decision
	work     *consumer.Work
	before   []muster.Progress // what was consumed of the partitions before the round
	cause    error
}

// resolve finds out what became of a round and does what follows from it: it is finished like any other when it was committed, else its commands come
// again. In both cases the journal is read again, so that nothing held in memory outlives the doubt.
//
// The journal alone could not tell: refusals, dead letters and written commands leave no trace in it by which a repeat is known.
func (l *lane) resolve(ctx context.Context, u *unknown) (done int, suspend *suspension) {
	suspend = &suspension{partitions: u.work.Partitions(), why: "unknown-outcome", cause: u.cause}
	if mutant.StateBeforeCommit {
		l.settle(ctx, u.round, u.work)
	}
	l.settleTransaction(ctx)
	if mutant.UnknownIsAborted || !l.wasCommitted(ctx, u) {
		u.round.Abort()
		return 0, suspend
	}
	l.o.log.Info("a transaction without an answer was committed", "group", l.o.group.Name(), "lane", l.index, "partitions", u.work.Partitions())
	l.o.metrics.committed(l.o.group.Name(), u.decision)
	l.await(u.round, u.work)
	if also := l.settle(ctx, u.round, u.work); also != nil {
		also.partitions, suspend = suspend.partitions, also
	}
	return u.round.Taken(), suspend
}

// settleTransaction makes certain what became of a transaction before the journal is read: an open one would hide what it wrote. The lane
// could not commit anything else before that either.
func (l *lane) settleTransaction(ctx context.Context) {
	l.turn.Lock()
	defer l.turn.Unlock()
	again := pause{}
	for ctx.Err() == nil {
		l.pulse.beat()
		err := l.sink.Settle(ctx)
		if err == nil {
			return
		}
		l.o.log.Warn("a transaction is not settled yet, trying again", "group", l.o.group.Name(), "lane", l.index, "error", err)
		again.wait(ctx)
	}
}

// wasCommitted tells whether the settled transaction took effect: what is consumed is part of it. It asks until it knows, until nothing of the
// round is held any more, which makes it the next owner's affair, or until ctx ends.
func (l *lane) wasCommitted(ctx context.Context, u *unknown) bool {
	again := pause{}
	for ctx.Err() == nil {
		l.pulse.beat()
		committed, err := l.witnessed(ctx, u)
		if err == nil {
			return committed
		}
		l.o.log.Warn("cannot tell yet what became of a transaction, trying again", "group", l.o.group.Name(), "lane", l.index, "partitions", u.work.Partitions(), "error", err)
		again.wait(ctx)
	}
	return false
}

// witnessed compares what the group has committed with what the transaction would have.
//
// A partition is a witness if the round finished anything in it; whatever is finished stays so, hence no commit of this owner but the
// one in doubt can have led to the very same progress. That no other owner has done so is proved by the group: it takes the same offsets once
// more, under member and generation, and the partitions were held all the time. A partition in which the round finished nothing has nothing
// that could be done twice.
func (l *lane) witnessed(ctx context.Context, u *unknown) (bool, error) {
	held := u.work.Held()
	var witnesses []int32
	var after []muster.Progress
	for _, p := range u.decision.Offsets {
		if slices.Contains(held, p.Partition) && !slices.ContainsFunc(u.before, func(b muster.Progress) bool { return same(b, p) }) {
			witnesses, after = append(witnesses, p.Partition), append(after, p)
		}
	}
	if len(witnesses) == 0 {
		return false, nil
	}
	found, err := l.o.consumer.Committed(ctx, witnesses)
	if err != nil {
		return false, err
	}
	if !slices.EqualFunc(found, after, same) {
		return false, nil
	}
	if err := l.confirm(ctx, after); err != nil {
		return false, err
	}
	if !slices.Equal(u.work.Held(), held) {
		return l.witnessed(ctx, u) // fewer are held now
	}
	return true, nil
}

// confirm commits offsets that are committed already, for the sake of the answer.
func (l *lane) confirm(ctx context.Context, offsets []muster.Progress) error {
	l.turn.Lock()
	defer l.turn.Unlock()
	return l.sink.Commit(ctx, &muster.Decision{Group: l.o.group, Offsets: offsets})
}

func same(a, b muster.Progress) bool {
	return a.Partition == b.Partition && a.Next == b.Next && slices.Equal(a.Waiting, b.Waiting)
}
