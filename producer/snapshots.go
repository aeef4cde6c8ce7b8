package producer

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// keeperSlots is how many producers snapshots are written with. The lane that uses them has the number behind the last lane of commands.
const keeperSlots = 2

// WriteSnapshots writes states of one partition into the snapshots topic, and behind them, unless it is nil, the pass that says up to where
// they are complete: one transaction, of a lane of its own. It is fenced as the commit of a decision is: the group coordinator must still
// know this member as the owner, so a former owner can never lay an old state over a newer one. For that the transaction moves an
// offset of the snapshots topic, which nobody consumes: the one behind its last record.
//
// The errors are those of [muster.Sink]; after none of them anything has to be undone. States are not kept; their data must not change
// meanwhile. The transaction timeout bounds it.
func (p *Producer) WriteSnapshots(ctx context.Context, partition int32, states []muster.StoredState, pass *muster.SnapshotPass) error {
	records := make([]*kgo.Record, 0, len(states)+1)
	for i := range states {
		records = append(records, kafka.EncodeSnapshot(p.cfg.Group, partition, &states[i], p.topics.snapshots))
	}
	if pass != nil {
		last, err := kafka.EncodeSnapshotPass(p.cfg.Group, pass, p.topics.snapshots)
		if err != nil {
			return fmt.Errorf("%w: %w", muster.ErrAborted, err)
		}
		last.Partition = partition
		records = append(records, last)
	}
	return p.keeper.keep(ctx, partition, records, -1)
}

// keep writes records that are no decision, all to one partition number, under the claim of that partition. The offset of the snapshots topic
// that is committed with them is behind; negative: the one behind the last record, which lies there.
func (l *Lane) keep(ctx context.Context, partition int32, records []*kgo.Record, behind int64) error {
	if len(records) == 0 {
		return nil
	}
	l.turn.Lock()
	defer l.turn.Unlock()
	if l.closed {
		return l.failed(stageBegin, muster.ErrAborted, ErrClosed)
	}
	ctx, cancel := context.WithTimeout(ctx, l.p.cfg.transactionTimeout())
	defer cancel()
	if err := l.settleLocked(ctx); err != nil {
		return l.failed(stageBegin, muster.ErrAborted, err)
	}
	t := &transaction{partitions: []int32{partition}, records: records}
	var err error
	if t.claim, err = l.p.cfg.Claims.Claim(t.partitions); err != nil {
		return l.failed(StageClaim, outcomeOfClaim(err), err)
	}
	s, err := l.rotation.take()
	if err != nil {
		return l.failed(stageBegin, muster.ErrAborted, err)
	}
	broken := l.keepOnce(ctx, s, t, behind)
	if broken == nil {
		s.last.Store(outcomeOf(s, t))
		l.rotation.settled()
		l.p.cfg.failpoint(PointKeptEnd)
		return nil
	}
	settling, cancelSettling := context.WithTimeout(context.WithoutCancel(ctx), l.p.cfg.transactionTimeout())
	defer cancelSettling()
	l.abandon(settling, s, broken)
	switch broken.verdict {
	case verdictUnknown:
		return l.failed(broken.stage, muster.ErrUnknown, broken.cause)
	case verdictClaim:
		return l.failed(broken.stage, l.stillOurs(t), broken.cause)
	case verdictEpoch, verdictRetry, verdictRefuse, verdictLate:
	}
	return l.failed(broken.stage, muster.ErrAborted, broken.cause)
}

// keepOnce runs the transaction from begin to end; nil means committed. The order of its requests is that of attempt, for the same reasons.
func (l *Lane) keepOnce(ctx context.Context, s *slot, t *transaction, behind int64) *breakage {
	if err := s.begin(ctx, l.p.topics.journal, l.p.topics.snapshots); err != nil {
		return broken(ctx, stageBegin, err)
	}
	for _, some := range s.stretches(t.records) {
		if failed := l.produceTo(ctx, s, some.records); failed != nil {
			return failed
		}
	}
	l.p.cfg.failpoint(PointKeptProduced)
	if behind < 0 {
		behind = t.records[len(t.records)-1].Offset + 1
	}
	moved := []muster.Progress{{Partition: t.partitions[0], Next: behind}}
	if err := joinOffsetsOf(ctx, s, t.claim, l.p.topics.snapshots, l.p.topics.snapshotsID, moved); err != nil {
		return broken(ctx, StageOffsets, err)
	}
	l.p.cfg.failpoint(PointKeptOffsets)
	if ctx.Err() != nil {
		return broken(ctx, StageOffsets, errors.Join(context.Cause(ctx), errNotSent))
	}
	means, err := s.commit(ctx)
	if err != nil {
		return &breakage{stage: StageEnd, verdict: means, cause: err}
	}
	return nil
}
