package producer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster/kafka"
)

// LedgerConfig says what [OpenLedger] opens. Kafka and Service must be set.
type LedgerConfig struct {
	Kafka   kafka.Config
	Service string // whose checkpoints topic is written

	// TransactionTimeout bounds one [Scribe.Write], and how long the broker lets a transaction of a dead instance stay open. Zero means 15 s.
	TransactionTimeout time.Duration

	// Logger receives fencings and what was found hanging. Nil means that nothing is logged.
	Logger *slog.Logger

	// Observe is called with the time each stage took, see [StageProduce] and [StageEnd], by the goroutine that writes. May be nil.
	Observe func(stage string, took time.Duration)

	// OnHanging is as in [Config].
	OnHanging func(Hanging)

	// Failpoint is called at [PointAfterFirstProduce], [PointAfterProduce] and [PointAfterEnd]. Nil in production.
	Failpoint func(point string)
}

// Validate returns all faults joined into one error, or nil.
func (c LedgerConfig) Validate() error {
	faults := []error{c.Kafka.Validate()}
	if c.Service == "" {
		faults = append(faults, errors.New("producer: Service is empty; give the name of the service whose projections are kept"))
	}
	if t := c.TransactionTimeout; t != 0 && (t < minTransactionTimeout || t > maxTransactionTimeout) {
		faults = append(faults, fmt.Errorf("producer: TransactionTimeout is %v; choose %v to %v, or 0 for %v", t, minTransactionTimeout, maxTransactionTimeout, defaultTransactionTimeout))
	}
	return errors.Join(faults...)
}

// Ledger writes the checkpoints topic of a service: one [Scribe] for each shard that this process holds. Its methods may be called by any
// goroutine.
type Ledger struct {
	cfg     Config // what scribes share with lanes; no group
	service string
	topic   string
	log     *slog.Logger
	admin   *kgo.Client

	stop    context.CancelFunc // ends watch
	watched sync.WaitGroup

	mu      sync.Mutex // guards what follows
	scribes map[*Scribe]bool
	closed  bool
}

// OpenLedger connects. The topic must exist; kafka.EnsureLedger creates it.
func OpenLedger(ctx context.Context, cfg LedgerConfig) (*Ledger, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	l := &Ledger{
		cfg: Config{
			Kafka: cfg.Kafka, TransactionTimeout: cfg.TransactionTimeout, Logger: cfg.Logger, Observe: cfg.Observe, OnHanging: cfg.OnHanging,
			Failpoint: cfg.Failpoint, Lanes: 1, Slots: 1,
		},
		service: cfg.Service, topic: kafka.LedgerTopic(cfg.Kafka.Prefix, cfg.Service), scribes: map[*Scribe]bool{},
	}
	l.log = l.cfg.logger().With("topic", l.topic)
	admin, err := cfg.Kafka.Client(adminOptions(l.cfg.transactionTimeout())...)
	if err != nil {
		return nil, fmt.Errorf("producer: %s: %w", l.topic, err)
	}
	l.admin = admin
	if err := kafka.CheckTransactions(ctx, admin); err != nil {
		admin.Close()
		return nil, fmt.Errorf("producer: %s: %w", l.topic, err)
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx)) // Close ends it
	l.stop = stop
	l.watched.Go(func() { l.watch(watching) })
	return l, nil
}

// id is the transactional id of a shard. Its five parts tell it from those of lanes, which have four.
func (l *Ledger) id(s kafka.LedgerShard) string {
	return l.cfg.Kafka.Prefix + l.service + "/projections/" + s.String()
}

// Topic is the checkpoints topic.
func (l *Ledger) Topic() string { return l.topic }

// Close ends all scribes, and the client. The second call does nothing.
func (l *Ledger) Close() {
	l.mu.Lock()
	closed := l.closed
	l.closed = true
	open := make([]*Scribe, 0, len(l.scribes))
	for s := range l.scribes {
		open = append(open, s)
	}
	l.mu.Unlock()
	if closed {
		return
	}
	l.stop()
	l.watched.Wait()
	for _, s := range open {
		s.Close()
	}
	l.admin.Close()
}

// watch sees to it that what scribes have committed can be read although they rest, as [Producer.watch] does for lanes.
func (l *Ledger) watch(ctx context.Context) {
	tick := time.NewTicker(restTime)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		l.mu.Lock()
		open := make([]*Scribe, 0, len(l.scribes))
		for s := range l.scribes {
			open = append(open, s)
		}
		l.mu.Unlock()
		for _, s := range open {
			if last := s.slot.last.Load(); last == nil || time.Since(last.at) < restTime {
				continue
			}
			if err := s.slot.verify(ctx); err != nil && ctx.Err() == nil {
				l.log.Warn("cannot see yet whether a committed transaction is visible, trying again", "id", s.slot.id, "error", err)
			}
		}
	}
}

// ground gives what a scribe's slot stands on: a producer without lanes of commands. Places are where its transactions write.
func (l *Ledger) ground(places kadm.TopicsSet) *Producer {
	p := &Producer{cfg: l.cfg, log: l.log, topics: topics{journal: l.topic, limits: map[string]int32{}}, admin: l.admin, ledger: places}
	p.keeper = &Lane{p: p}
	return p
}
