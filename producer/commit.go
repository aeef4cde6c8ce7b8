package producer

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/mutant"
	"github.com/seed-3eec0498/muster/kafka"
)

// breakage is where and why a transaction did not get through.
type breakage struct {
	stage   string
	verdict verdict
	cause   error
	refused []refused // the records, where it broke while producing
}

// transaction is what a lane has in hand.
type transaction struct {
	decision   *muster.Decision
	claim      kafka.Claim
	partitions []int32            // the claimed ones, sorted
	records    []*kgo.Record      // the events first, one each, then the dead letters, then the commands
	leaders    map[string][]int32 // of the command topics written to
}

// index finds a record's place, -1 when it is not one of the transaction's.
func (t *transaction) index(r *kgo.Record) int { return slices.Index(t.records, r) }

// stageBegin is before anything of the transaction has reached a broker.
const stageBegin = "begin"

// transact makes t durable as one transaction of the next slot.
//
// The three requests that register something with the transaction (produce, TxnOffsetCommit, EndTxn) follow one another, each after the
// answer to the one before: side by side they cost tails of 300 ms. EndTxn must wait for the answer to TxnOffsetCommit anyway, because that
// is where the group coordinator checks whether the partitions are still held.
func (l *Lane) transact(ctx context.Context, t *transaction) error {
	l.ready(ctx)
	if len(t.decision.Commands) > 0 {
		faults, err := l.aim(ctx, t)
		if err = errors.Join(append(faults, err)...); err != nil {
			return l.failed(stageBegin, muster.ErrAborted, err)
		}
	}
	s, err := l.rotation.take()
	if err != nil {
		return l.failed(stageBegin, muster.ErrAborted, err)
	}
	l.encode(t)
	if broken := l.attempt(ctx, s, t); broken != nil {
		if broken.verdict == verdictUnknown {
			t.place() // all of it was acknowledged before EndTxn was sent
		}
		l.slab, l.records = nil, nil
		return l.undo(ctx, s, broken, t)
	}
	s.last.Store(outcomeOf(s, t))
	l.rotation.settled()
	l.fencings = 0
	l.p.cfg.failpoint(PointAfterEnd)
	t.place()
	l.slab.Reset()
	clear(l.records)
	return nil
}

// place tells the decision where its messages lie.
func (t *transaction) place() {
	for i := range t.decision.Events {
		e := &t.decision.Events[i]
		e.Topic, e.Offset = t.records[i].Topic, t.records[i].Offset
	}
	for i, r := range t.records[len(t.records)-len(t.decision.Commands):] {
		c := &t.decision.Commands[i].Command
		c.Topic, c.Partition, c.Offset = r.Topic, r.Partition, r.Offset
	}
}

// encode makes the records of t. Their memory is that of the lane's last transaction: the client has done with a record when it has told
// that it is acknowledged.
func (l *Lane) encode(t *transaction) {
	d := t.decision
	records := slices.Grow(l.records[:0], len(d.Events)+len(d.Dead)+len(d.Commands))
	if l.slab == nil {
		l.slab = kafka.NewSlab(0)
	}
	l.slab.Expect(len(d.Events))
	for i := range d.Events {
		records = append(records, l.slab.EventOf(l.p.cfg.Group, &d.Events[i], l.p.topics.journal))
	}
	for i := range d.Dead {
		records = append(records, kafka.EncodeDeadLetter(&d.Dead[i], l.p.topics.dead))
	}
	for i := range d.Commands {
		w := &d.Commands[i]
		partition := kafka.Partition(w.Command.AggregateID, w.Group.Partitions())
		records = append(records, kafka.EncodeCommand(&w.Command, w.Group.CommandTopic(l.p.cfg.Kafka.Prefix), partition))
	}
	t.records, l.records = records, records
}

// attempt runs the transaction from begin to end; nil means committed.
func (l *Lane) attempt(ctx context.Context, s *slot, t *transaction) *breakage {
	began := time.Now()
	if err := s.begin(ctx, l.p.topics.journal, l.p.topics.dead); err != nil {
		return broken(ctx, stageBegin, err)
	}
	maps.Copy(s.leaders, t.leaders)
	failed := l.produce(ctx, s, t.records)
	l.p.cfg.observe(StageProduce, began)
	if failed != nil && !mutant.RefusedProduce {
		return failed
	}
	l.p.cfg.failpoint(PointAfterProduce)

	began = time.Now()
	err := l.p.joinOffsets(ctx, s, t.claim, t.decision.Offsets)
	if mutant.OffsetsApart && err == nil {
		err = l.p.moveOffsets(ctx, t.claim, t.decision.Offsets)
	}
	l.p.cfg.observe(StageOffsets, began)
	if err != nil {
		return broken(ctx, StageOffsets, err)
	}
	l.p.cfg.failpoint(PointAfterOffsets)
	if ctx.Err() != nil { // an EndTxn sent now would have no time for its answer
		return broken(ctx, StageOffsets, context.Cause(ctx))
	}

	began = time.Now()
	means, err := s.commit(ctx)
	l.p.cfg.observe(StageEnd, began)
	if err != nil {
		return &breakage{stage: StageEnd, verdict: means, cause: err}
	}
	return nil
}

// produce writes leader after leader. The first refusal ends it: a transaction with a refused record is never committed.
func (l *Lane) produce(ctx context.Context, s *slot, records []*kgo.Record) *breakage {
	if l.p.cfg.Failpoint != nil { // one record must be there and the others not
		if failed := l.produceTo(ctx, s, records[:1]); failed != nil {
			return failed
		}
		l.p.cfg.Failpoint(PointAfterFirstProduce)
		records = records[1:]
	}
	for _, some := range s.stretches(records) {
		if failed := l.produceTo(ctx, s, some.records); failed != nil {
			return failed
		}
	}
	return nil
}

func (l *Lane) produceTo(ctx context.Context, s *slot, records []*kgo.Record) *breakage {
	wrong, err := s.write(ctx, records)
	if err != nil {
		return broken(ctx, StageProduce, err)
	}
	if len(wrong) == 0 {
		return nil
	}
	failed := &breakage{stage: StageProduce, verdict: verdictRefuse, cause: wrong[0].cause, refused: wrong}
	for _, w := range wrong { // an id that is lost explains everything else
		if errors.Is(w.cause, errOtherEpoch) || judge(w.cause) == verdictEpoch {
			failed.verdict, failed.cause = verdictEpoch, w.cause
		}
	}
	return failed
}

// broken judges an error before EndTxn. An error that could be tried again is the end too by now: the time is over, or the one who tried
// gave up.
func broken(ctx context.Context, stage string, err error) *breakage {
	means := judge(err)
	switch {
	case ctx.Err() != nil:
		means = verdictLate
	case means == verdictRetry:
		means = verdictRefuse
	}
	return &breakage{stage: stage, verdict: means, cause: err}
}

// undo makes sure that nothing of the transaction stays open, and says what became of it. The slot counts as open until that is certain;
// where it cannot be made certain now, the next commit begins with it.
func (l *Lane) undo(ctx context.Context, s *slot, why *breakage, t *transaction) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.p.cfg.transactionTimeout())
	defer cancel()
	l.abandon(ctx, s, why)

	switch why.verdict {
	case verdictUnknown:
		return l.failed(why.stage, muster.ErrUnknown, why.cause)
	case verdictClaim:
		return l.failed(why.stage, l.stillOurs(t), why.cause)
	case verdictEpoch:
		if takenOver(why.cause) {
			l.fencings++
		}
		if l.fencings > 1 {
			return l.failed(why.stage, muster.ErrFenced, why.cause)
		}
		return l.failed(why.stage, muster.ErrAborted, why.cause)
	case verdictRetry, verdictRefuse, verdictLate:
	}
	l.fencings = 0
	if faults := l.strayed(why.refused, t); faults != nil {
		return l.failed(why.stage, muster.ErrAborted, errors.Join(faults...))
	}
	if fault := l.culprit(ctx, why.refused, t); fault != nil {
		return l.failed(why.stage, muster.ErrAborted, fault)
	}
	return l.failed(why.stage, muster.ErrAborted, why.cause)
}

// abandon aborts the slot's transaction in the cheapest way that is certain.
func (l *Lane) abandon(ctx context.Context, s *slot, why *breakage) {
	switch {
	case why.stage == stageBegin: // nothing was sent; the client may be of no use any more
		s.retire()
		l.rotation.settled()
		return
	case s.client != nil && why.stage != StageEnd && (why.verdict == verdictRefuse || why.verdict == verdictClaim):
		if s.abort(ctx) == nil {
			l.rotation.settled()
			return
		}
	}
	if err := l.settleLocked(ctx); err != nil {
		l.p.log.Error("transaction not settled; the next commit tries again", "lane", l.number, "id", s.id, "cause", err)
	}
}

// stillOurs says what it means that the group refused a claim. Where the consumer meanwhile holds the partitions under a newer generation,
// they are to be decided again; where it knows no better than the claim that was refused, they must be given up.
func (l *Lane) stillOurs(t *transaction) error {
	now, err := l.p.cfg.Claims.Claim(t.partitions)
	if err != nil {
		return outcomeOfClaim(err)
	}
	if now == t.claim {
		return muster.ErrFenced
	}
	return muster.ErrAborted
}

// consume moves offsets without a transaction. The answer matters as much: a reply that follows it says that the partition was still held.
func (l *Lane) consume(ctx context.Context, t *transaction) error {
	began := time.Now()
	err := l.p.moveOffsets(ctx, t.claim, t.decision.Offsets)
	l.p.cfg.observe(StageOffsets, began)
	switch {
	case err == nil:
		return nil
	case judge(err) == verdictClaim:
		return l.failed(StageOffsets, l.stillOurs(t), err)
	}
	return l.failed(StageOffsets, muster.ErrAborted, err)
}
