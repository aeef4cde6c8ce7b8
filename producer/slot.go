package producer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster/internal/mutant"
	"github.com/seed-3eec0498/muster/kafka"
)

// maxUnflushed is how many records a slot hands to its client before it flushes; the client refuses more than twice as many.
const maxUnflushed = 1 << 19

// slot is one transactional producer of a lane. It is used by the goroutine that holds the lane's turn.
//
//	client == nil  =>  no transaction is open here as far as this process knows; the next begin makes a client
//	last != nil    =>  the markers of the transaction before were not seen yet; see verify
type slot struct {
	p      *Producer
	id     string
	cfg    kafka.Config
	limit  func(topic string) int32
	within time.Duration // the transaction timeout

	client  *kgo.Client
	wire    *wire
	leaders map[string][]int32 // by topic and partition, as of the client's start; the client itself knows better once it has written there

	learnt map[string]bool // topics that the client is known to have in its own table; see learn

	producer int64 // id and epoch of the transaction in hand; every acknowledged record must carry them
	epoch    int16

	checking chan struct{}           // has room for one: whoever verifies
	last     atomic.Pointer[outcome] // the lane's goroutine stores what it committed, whoever verifies it takes it away
	stale    atomic.Bool             // the id was initialised behind the client's back; whoever did it sets, begin clears
}

// wire sits on the client's connections. It counts the EndTxn requests that left for a broker, as what never left cannot have been carried
// out, and lets no connection be used that was made before the slot's last transaction was seen to be over: behind it may be a broker that
// has been started anew, and what is produced there would become part of a transaction left hanging, and be aborted together with it.
type wire struct {
	ends atomic.Int32 // the client's goroutines add, the lane's reads

	verify func(context.Context) error
	ctx    context.Context // ends with the client
	cancel context.CancelFunc
}

// OnBrokerConnect implements [kgo.HookBrokerConnect]. The client sends its first request when this returns.
func (w *wire) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, conn net.Conn, err error) {
	if err != nil {
		return
	}
	if err := w.verify(w.ctx); err != nil {
		_ = conn.Close() // the client sees a broken connection and makes another one, as long as the commit has time
	}
}

// OnBrokerWrite implements [kgo.HookBrokerWrite].
func (w *wire) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, written int, _, _ time.Duration, _ error) {
	if key == int16(kmsg.EndTxn) && written > 0 {
		w.ends.Add(1)
	}
}

// open makes the client if there is none, and waits until it has its id and epoch. ctx bounds it.
func (s *slot) open(ctx context.Context, topics ...string) error {
	if s.client == nil {
		if err := s.connect(ctx, topics); err != nil {
			return err
		}
	}
	return patiently(ctx, func() error {
		var err error
		s.producer, s.epoch, err = s.client.ProducerID(ctx)
		return err
	})
}

func (s *slot) connect(ctx context.Context, topics []string) error {
	w := &wire{verify: s.verify}
	w.ctx, w.cancel = context.WithCancel(context.WithoutCancel(ctx))
	client, err := s.cfg.Client(
		kgo.TransactionalID(s.id),
		kgo.TransactionTimeout(s.within),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(0),
		kgo.ManualFlushing(), // all records of a leader leave in one request
		kgo.MaxBufferedRecords(2*maxUnflushed),
		kgo.ProducerBatchMaxBytesFn(s.limit),
		kgo.UnknownTopicRetries(100), // one metadata refresh each, 10 ms apart: a topic that moves is not a topic that is gone
		kgo.MetadataMinAge(10*time.Millisecond),
		kgo.ConcurrentTransactionsBackoff(10*time.Millisecond),
		kgo.RetryBackoffFn(pause),
		kgo.RequestRetries(1_000), // the commit's own deadline is the bound
		kgo.RetryTimeout(s.within),
		kgo.WithHooks(w),
	)
	if err != nil {
		w.cancel()
		return err
	}
	described, err := describeKnown(ctx, client, madeWithin, topics...)
	if err != nil {
		w.cancel()
		client.Close()
		return err
	}
	s.client, s.wire, s.leaders, s.learnt = client, w, leadersOf(described), map[string]bool{}
	return nil
}

// begin opens a transaction.
func (s *slot) begin(ctx context.Context, topics ...string) error {
	if last := s.last.Load(); s.client == nil || last != nil && time.Since(last.at) > restTime {
		if err := s.verify(ctx); err != nil {
			return err
		}
	}
	if s.stale.Swap(false) {
		s.retire()
	}
	if err := s.open(ctx, topics...); err != nil {
		return err
	}
	return s.client.BeginTransaction()
}

// learn waits until the client's own table shows the topics just written to. It must be called before the transaction ends.
//
// When a client writes to a topic for the first time, its metadata loop hands the waiting records to the partitions first and publishes the
// partitions afterwards (franz-go 1.22.2, storePartitionsUpdate). If that goroutine is held up in between, records are written and
// acknowledged that EndTransaction does not find: it takes the transaction for an empty one, aborts it and returns nil.
func (s *slot) learn(ctx context.Context, written []*kgo.Record) error {
	last := ""
	for _, r := range written {
		if r.Topic == last {
			continue
		}
		last = r.Topic
		for wait := 50 * time.Microsecond; !s.learnt[r.Topic]; wait = min(2*wait, 5*time.Millisecond) {
			if leader, epoch, _ := s.client.PartitionLeader(r.Topic, r.Partition); leader >= 0 || epoch >= 0 {
				s.learnt[r.Topic] = true
				break
			}
			again := time.NewTimer(wait)
			select {
			case <-again.C:
			case <-ctx.Done():
				again.Stop()
				return fmt.Errorf("%w; the client does not show %s[%d], to which it has written", context.Cause(ctx), r.Topic, r.Partition)
			}
		}
	}
	return nil
}

// abort ends the transaction without effect. After nil that is known and the client can go on.
func (s *slot) abort(ctx context.Context) error {
	return s.client.EndTransaction(ctx, kgo.TryAbort)
}

// errNotSent is found when the client gave up a commit before it asked the broker.
var errNotSent = errors.New("EndTxn was not sent")

// commit ends the transaction with effect and says what an error means for it. After any error the client must be retired.
//
// The client repeats EndTxn on its own while the answer is lost or the coordinator moves; the broker knows a repetition by its epoch and
// gives the first answer again (KIP-890). So nil is the truth, however often it was asked. A final refusal is the truth only when it
// answers the only request sent: the first one may have been carried out before another producer took the id.
func (s *slot) commit(ctx context.Context) (verdict, error) {
	if mutant.ReplyBeforeEnd {
		go func() { _ = s.client.EndTransaction(ctx, kgo.TryCommit) }()
		return verdictRetry, nil
	}
	before := s.wire.ends.Load()
	err := s.client.EndTransaction(ctx, kgo.TryCommit)
	sent := s.wire.ends.Load() - before
	switch {
	case err == nil && sent == 0:
		return verdictRefuse, errNotSent
	case err == nil, mutant.UnknownIsCommitted && sent > 0:
		return verdictRetry, nil
	case ctx.Err() != nil:
		return verdictUnknown, err // a request may be leaving at this moment
	case sent == 0:
		return verdictRefuse, err
	}
	known, isAnswer := errors.AsType[*kerr.Error](err)
	passing := isAnswer && (known.Retriable || known.Code == kerr.UnknownServerError.Code || known.Code == kerr.ConcurrentTransactions.Code)
	if sent == 1 && isAnswer && !passing {
		return judge(err), err
	}
	return verdictUnknown, err
}

// retire ends the client, whatever it is doing. What it has open at the broker stays open until the id is initialised again.
func (s *slot) retire() {
	if s.client != nil {
		s.wire.cancel()
		s.client.Close()
		s.client, s.wire = nil, nil
	}
}
