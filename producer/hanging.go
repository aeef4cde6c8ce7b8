package producer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/seed-3eec0498/muster/kafka"
)

// Outcomes of a hanging transaction.
const (
	OutcomeCommitted = "committed"
	OutcomeAborted   = "aborted"
	OutcomeUnknown   = "unknown" // nobody can tell any more; it is left alone
)

// Hanging is a transaction that is over for its coordinator and open for a partition: the marker that ends it there was never written, and
// never will be. read_committed readers stop in front of it, for good.
//
// Apache Kafka 4.3 leaves one behind when the coordinator writes the markers while the partition has no leader at all, as after the
// death of the only broker or of all replicas: it takes the partition for deleted. docs/design/0010-hanging-transactions.md says more.
type Hanging struct {
	ID        string // the transactional id; empty where no coordinator knows the producer
	Producer  int64
	Epoch     int16
	Topic     string
	Partition int32
	Offset    int64  // its first record, which no reader passes
	Outcome   string // committed, aborted or unknown
}

// String gives the facts that an operator needs.
func (h Hanging) String() string {
	return fmt.Sprintf("%s[%d] from offset %d: producer %d, epoch %d, transactional id %q, %s", h.Topic, h.Partition, h.Offset, h.Producer, h.Epoch, h.ID, h.Outcome)
}

// heal ends what the last transaction of an id has left open where it is over for the coordinator. It answers CONCURRENT_TRANSACTIONS while
// the coordinator is still at it. The coordinator's knowledge is gone once the id is initialised, so this must come first.
//
// Under transaction version 2 (KIP-890) the end of a transaction raises the epoch of its producer by one, and nothing else does so without
// leaving the states below. So what is open under the epoch before is that transaction:
//
//	coordinator: CompleteCommit or CompleteAbort, producer p, epoch e+1
//	partition:   open, producer p, epoch e
func (p *Producer) heal(ctx context.Context, id string) error {
	over, err := p.described(ctx, id)
	if err != nil {
		return err
	}
	switch over.State {
	case stateCompleteCommit, stateCompleteAbort:
	case statePrepareCommit, statePrepareAbort:
		return kerr.ConcurrentTransactions
	default:
		return nil
	}
	open, err := p.openRanges(ctx, p.everywhere(ctx))
	if err != nil {
		return err
	}
	open = slices.DeleteFunc(open, func(r kadm.DescribedProducer) bool { return !endedBy(over, r) })
	if len(open) == 0 {
		return nil
	}
	if now, err := p.described(ctx, id); err != nil || now.State != over.State || now.ProducerEpoch != over.ProducerEpoch || now.ProducerID != over.ProducerID {
		return orElse(err, kerr.ConcurrentTransactions)
	}
	return p.end(ctx, id, open, over.ProducerEpoch, over.State == stateCompleteCommit)
}

// endedBy tells whether an open range is the transaction that the coordinator calls over.
func endedBy(over kadm.DescribedTransaction, r kadm.DescribedProducer) bool {
	return (over.State == stateCompleteCommit || over.State == stateCompleteAbort) &&
		r.ProducerID == over.ProducerID && r.ProducerEpoch+1 == over.ProducerEpoch
}

// HealHanging looks for hanging transactions of the group's lanes on a partition of the journal and ends those whose outcome is certain,
// as it was decided. It is for a partition that does not advance to its high watermark. liveInstances are those still in the consumer
// group: each of them mends its own. healed are transactional ids; what is left alone because nobody can tell its outcome any more is
// returned in stuck.
func (p *Producer) HealHanging(ctx context.Context, partition int32, liveInstances []string) (healed []string, stuck []Hanging, err error) {
	on := kadm.TopicsSet{}
	on.Add(p.topics.journal, partition)
	healed, stuck, err = p.healOn(ctx, on, liveInstances)
	if err != nil {
		err = fmt.Errorf("producer: %s[%d]: %w", p.topics.journal, partition, kafka.Map("look for hanging transactions", err))
	}
	return healed, stuck, err
}

// HealPending does the same where the committed offsets of the group lie. It is for partitions whose offset stays pending.
func (p *Producer) HealPending(ctx context.Context, liveInstances []string) (healed []string, stuck []Hanging, err error) {
	healed, stuck, err = p.healOn(ctx, p.placesOf(ctx, nil), liveInstances)
	if err != nil {
		err = fmt.Errorf("producer: group %s: %w", p.cfg.Group.Name(), kafka.Map("look for hanging transactions of its offsets", err))
	}
	return healed, stuck, err
}

func (p *Producer) healOn(ctx context.Context, on kadm.TopicsSet, liveInstances []string) (healed []string, stuck []Hanging, err error) {
	open, err := p.openRanges(ctx, on)
	if err != nil || len(open) == 0 {
		return nil, nil, err
	}
	holders, err := p.holdersOf(ctx, open)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range open {
		over, known := holders[r.ProducerID]
		h := hangingOf(over.TxnID, r, OutcomeUnknown)
		id, ours := parseIdentity(over.TxnID, p.transactionalGroup())
		mine := p.slot(over.TxnID)
		switch {
		case !ours && r.Topic == offsetsTopic: // of another group that shares the partition
		case slices.Contains(healed, over.TxnID):
		case known && !decided(over.State): // running, or its markers are on their way
		case !known && time.Since(time.UnixMilli(r.LastTimestamp)) < maxTransactionTimeout: // somebody's whom we may not ask about, perhaps
		case known && mine != nil && mine.awaits(r): // the slot mends it
		case ours && endedBy(over, r) && slices.Contains(liveInstances, id.instance) && mine == nil:
		case ours && endedBy(over, r):
			if err := patiently(ctx, func() error { return p.heal(ctx, over.TxnID) }); err != nil {
				return healed, stuck, err
			}
			healed = append(healed, over.TxnID)
		default:
			stuck = append(stuck, h)
		}
	}
	if len(stuck) == 0 {
		return healed, nil, nil
	}
	// A range that was closed meanwhile was on its way, not hanging.
	still, err := p.openRanges(ctx, on)
	stuck = slices.DeleteFunc(stuck, func(h Hanging) bool {
		return !slices.ContainsFunc(still, func(r kadm.DescribedProducer) bool { return hangingOf(h.ID, r, h.Outcome) == h })
	})
	p.report(stuck...)
	return healed, stuck, err
}

// report tells of each finding once.
func (p *Producer) report(found ...Hanging) {
	for _, h := range found {
		if h.Outcome != OutcomeUnknown {
			p.log.Warn("ended a hanging transaction as its coordinator had decided", "transaction", h.String())
		} else {
			if _, told := p.reported.LoadOrStore(h, true); told {
				continue
			}
			p.log.Error("a hanging transaction hides what follows it, and nobody can tell any more whether it was committed; see docs/failure-modes.md", "transaction", h.String())
		}
		if p.cfg.OnHanging != nil {
			p.cfg.OnHanging(h)
		}
	}
}

func hangingOf(id string, r kadm.DescribedProducer, outcome string) Hanging {
	return Hanging{
		ID: id, Producer: r.ProducerID, Epoch: r.ProducerEpoch, Topic: r.Topic, Partition: r.Partition, Offset: r.CurrentTxnStartOffset, Outcome: outcome,
	}
}

func orElse(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}
