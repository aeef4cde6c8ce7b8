package producer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// Outgoing is a record for others that leaves in the transaction of a [Scribe].
type Outgoing struct {
	Topic string // one of those that [Ledger.Claim] was given, with the prefix
	Event muster.CloudEvent
	// Remove removes the event's key from the topic instead, which must be compacted.
	Remove bool
}

// Scribe writes for one shard, as its only holder: one transactional id, one line of epochs, begun by [Ledger.Claim].
//
//	one claim, one client: a client made anew would take the id from whoever has claimed the shard since, and know nothing of what they wrote
//	an error of Write  =>  the scribe is of no use any more; the shard is claimed anew
type Scribe struct {
	ledger *Ledger
	shard  kafka.LedgerShard
	counts map[string]int32 // partitions of the topics for others; read-only

	mu   sync.Mutex // held by whoever writes or closes; guards what follows
	slot *slot
	done error // why the scribe is of no use any more
	lost bool  // because another process has claimed the shard
}

// Claim makes this process the only one that writes for a shard: when it has returned, whatever earlier holders have not committed is aborted, and
// what they have committed can be read up to the high watermark of the partition. They get [muster.ErrFenced]. targets are the topics for
// others that are written; they must exist. ctx bounds it.
func (l *Ledger) Claim(ctx context.Context, shard kafka.LedgerShard, targets ...string) (*Scribe, error) {
	fail := func(err error) (*Scribe, error) {
		return nil, fmt.Errorf("producer: claim %s: %w", shard, err)
	}
	s := &Scribe{ledger: l, shard: shard, counts: map[string]int32{}}
	places := kadm.TopicsSet{}
	places.Add(l.topic, shard.Partition())
	limits, err := s.look(ctx, places, targets)
	if err != nil {
		return fail(err)
	}
	p := l.ground(places)
	p.topics.limits = limits
	s.slot = &slot{
		p: p, id: l.id(shard), cfg: l.cfg.Kafka, limit: p.topics.batchLimit, within: l.cfg.transactionTimeout(), checking: make(chan struct{}, 1),
	}
	p.lanes = []*Lane{{p: p, rotation: rotation{slots: []*slot{s.slot}}}} // so that what mends hanging transactions finds it
	if err := p.initialise(ctx, s.slot.id); err != nil {                  // ends first what the id has left hanging
		return fail(err)
	}
	if err := s.slot.open(ctx, append(slices.Clone(targets), l.topic)...); err != nil {
		s.slot.retire()
		return fail(l.cfg.Kafka.Map("initialise transactional id "+s.slot.id, err, kafka.On(kafka.TransactionalResource, s.slot.id, "Write")...))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		s.slot.retire()
		return fail(ErrClosed)
	}
	l.scribes[s] = true
	return s, nil
}

// look finds the partition counts and limits of the topics for others.
func (s *Scribe) look(ctx context.Context, places kadm.TopicsSet, targets []string) (map[string]int32, error) {
	described, err := describeKnown(ctx, s.ledger.admin, madeWithin, append(slices.Clone(targets), s.ledger.topic)...)
	if err != nil {
		return nil, err
	}
	for _, topic := range described {
		if topic.Topic == nil {
			continue
		}
		count := int32(len(topic.Partitions))
		if *topic.Topic == s.ledger.topic {
			if count != kafka.LedgerPartitions {
				return nil, fmt.Errorf("topic %s has %d partitions and needs %d: checkpoints would not be found again", s.ledger.topic, count, kafka.LedgerPartitions)
			}
			continue
		}
		s.counts[*topic.Topic] = count
		for p := range count {
			places.Add(*topic.Topic, p)
		}
	}
	limits, err := batchLimits(ctx, s.ledger.admin, append(slices.Clone(targets), s.ledger.topic)...)
	if err != nil {
		return nil, kafka.Map("describe the topics a projection writes to", err)
	}
	return limits, nil
}

// recordFrame is what a record and a batch of one take besides key, value and headers, counted from above.
const recordFrame = 512

// Fits tells why an event cannot be written, before it is tried: it may be too large for its topic, or the topic is none of those claimed. It is
// safe for use beside Write.
func (s *Scribe) Fits(o *Outgoing) error {
	count, known := s.counts[o.Topic]
	if !known {
		return muster.Errorf(muster.InvalidArgument, "topic %s is none of those that the projection was declared with; add projector.To(%q, partitions)", o.Topic, o.Topic)
	}
	if o.Remove {
		return nil
	}
	record := kafka.EncodeCloudEvent(&o.Event, o.Topic, count)
	if n, limit := size(record)+8*len(record.Headers)+recordFrame, s.slot.limit(o.Topic); n > int(limit) {
		return muster.Errorf(muster.InvalidArgument, "an event of type %s takes %d bytes; topic %s takes %d: send less, or raise its max.message.bytes", o.Event.Type, n, o.Topic, limit)
	}
	return nil
}

// Write makes entries of the shard and records for others durable together, or nothing. It tries for at most the transaction timeout; the end of
// ctx does not stop it. [muster.ErrFenced]: another process has claimed the shard, nothing was written. [muster.ErrAborted]: nothing was
// written. [muster.ErrUnknown]: nobody can tell yet; claim the shard anew and read. After any error the scribe is of no use.
func (s *Scribe) Write(ctx context.Context, entries []kafka.LedgerRecord, out []Outgoing) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.lost:
		return s.failed(muster.ErrFenced, s.done)
	case s.done != nil:
		return s.failed(muster.ErrAborted, s.done)
	}
	records := make([]*kgo.Record, 0, len(entries)+len(out))
	for i := range out {
		o := &out[i]
		count, known := s.counts[o.Topic]
		if !known {
			return s.failed(muster.ErrAborted, s.Fits(o))
		}
		if o.Remove {
			records = append(records, kafka.EncodeRemoval(o.Event.Key, o.Topic, count))
		} else {
			records = append(records, kafka.EncodeCloudEvent(&o.Event, o.Topic, count))
		}
	}
	for _, e := range entries {
		records = append(records, kafka.EncodeLedger(s.shard, s.ledger.topic, e))
	}
	if len(records) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.slot.within)
	defer cancel()
	broken := s.transact(ctx, records)
	if broken == nil {
		return nil
	}
	return s.end(ctx, broken)
}

var errInitialised = errors.New("the transactional id was initialised behind the scribe's back")

// transact runs one transaction; nil means committed.
func (s *Scribe) transact(ctx context.Context, records []*kgo.Record) *breakage {
	lane := s.slot.p.lanes[0]
	if last := s.slot.last.Load(); last != nil && time.Since(last.at) > restTime {
		if err := s.slot.verify(ctx); err != nil {
			return broken(ctx, stageBegin, err)
		}
	}
	if s.slot.stale.Load() {
		return &breakage{stage: stageBegin, verdict: verdictEpoch, cause: errInitialised}
	}
	if err := s.slot.open(ctx); err != nil { // the client is there, so this only asks for its epoch
		return broken(ctx, stageBegin, err)
	}
	if err := s.slot.client.BeginTransaction(); err != nil {
		return broken(ctx, stageBegin, err)
	}
	began := time.Now()
	failed := lane.produce(ctx, s.slot, records)
	s.ledger.cfg.observe(StageProduce, began)
	if failed != nil {
		return failed
	}
	s.ledger.cfg.failpoint(PointAfterProduce)
	if ctx.Err() != nil {
		return broken(ctx, StageProduce, errors.Join(context.Cause(ctx), errNotSent))
	}
	began = time.Now()
	means, err := s.slot.commit(ctx)
	s.ledger.cfg.observe(StageEnd, began)
	if err != nil {
		return &breakage{stage: StageEnd, verdict: means, cause: err}
	}
	s.slot.last.Store(outcomeOf(s.slot, &transaction{decision: &muster.Decision{}, records: records}))
	s.ledger.cfg.failpoint(PointAfterEnd)
	return nil
}

// end gives the scribe up. What it has open is aborted at once where that is cheap; else by the next claim, or the transaction timeout.
func (s *Scribe) end(ctx context.Context, why *breakage) error {
	s.done = why.cause
	if s.slot.client != nil && why.stage == StageProduce && why.verdict == verdictRefuse {
		if err := s.slot.abort(ctx); err != nil {
			s.ledger.log.Warn("transaction not aborted; the next claim of the shard does it", "id", s.slot.id, "error", err)
		}
	}
	s.slot.retire()
	switch {
	case why.verdict == verdictUnknown:
		return s.failed(muster.ErrUnknown, why.cause)
	case takenOver(why.cause) || errors.Is(why.cause, kerr.InvalidTxnState) || errors.Is(why.cause, errInitialised):
		s.lost = true
		return s.failed(muster.ErrFenced, why.cause)
	}
	return s.failed(muster.ErrAborted, why.cause)
}

func (s *Scribe) failed(outcome, cause error) error {
	needs := kafka.On(kafka.TopicResource, s.ledger.topic, "Write")
	for target := range s.counts {
		needs = append(needs, kafka.On(kafka.TopicResource, target, "Write")...)
	}
	cause = s.ledger.cfg.Kafka.Map("write for "+s.shard.String(), cause, append(needs, kafka.On(kafka.TransactionalResource, s.slot.id, "Write")...)...)
	return fmt.Errorf("producer: %s: %w: %w", s.shard, outcome, cause)
}

// Close gives the shard up. It waits for a Write in hand. The second call does nothing.
func (s *Scribe) Close() {
	s.ledger.mu.Lock()
	delete(s.ledger.scribes, s)
	s.ledger.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slot.retire()
	if s.done == nil {
		s.done = ErrClosed
	}
}
