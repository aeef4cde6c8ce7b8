package producer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster/kafka"
)

// openWorkers bounds how many ids are initialised at once.
const openWorkers = 8

// Producer holds the lanes of one group in one process. Its methods may be called by any goroutine; each lane commits one decision at a time.
type Producer struct {
	cfg    Config
	log    *slog.Logger
	topics topics         // written by Open, read-only afterwards
	admin  *kgo.Client    // initialises ids, finds leftovers, ends what hangs; no transactions of its own
	lanes  []*Lane        // written by Open, read-only afterwards
	keeper *Lane          // writes snapshots; likewise
	ledger kadm.TopicsSet // of a [Scribe]: where it writes. It has no group, no lanes, and no offsets in its transactions

	targets targets
	closing sync.Once
	stop    context.CancelFunc // ends watch
	watched sync.WaitGroup     // watch

	offsetsCount atomic.Int32 // partitions of __consumer_offsets; 0 while not known
	reported     sync.Map     // Hanging of unknown outcome that was told of already
	blind        sync.Once    // tells of a topic that may not be read
}

// Open connects, looks up the topics of the group and initialises the transactional id of every lane and slot, used or not, which aborts
// at once what a predecessor of the same instance name had open. The topics must exist; kafka.EnsureGroup creates them.
//
// The error joins all faults of the configuration, or says what the cluster lacks: a topic, transaction version 2, a permission.
func Open(ctx context.Context, cfg Config) (*Producer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	p := &Producer{cfg: cfg, log: cfg.logger().With("group", cfg.Group.Name())}
	admin, err := cfg.Kafka.Client(adminOptions(cfg.transactionTimeout())...)
	if err != nil {
		return nil, fmt.Errorf("producer: group %s: %w", cfg.Group.Name(), err)
	}
	p.admin = admin
	if err := p.prepare(ctx); err != nil {
		admin.Close()
		return nil, fmt.Errorf("producer: group %s: %w", cfg.Group.Name(), err)
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx)) // Close ends it
	p.stop = stop
	p.watched.Go(func() { p.watch(watching) })
	return p, nil
}

func (p *Producer) prepare(ctx context.Context) error {
	if err := kafka.CheckTransactions(ctx, p.admin); err != nil {
		return err
	}
	found, err := findTopics(ctx, p.admin, p.cfg.Group, p.cfg.Kafka.Prefix)
	if err != nil {
		return err
	}
	p.topics = found
	for number := range p.cfg.lanes() {
		p.lanes = append(p.lanes, newLane(p, number, p.cfg.slots()))
	}
	p.keeper = newLane(p, p.cfg.lanes(), keeperSlots)
	return p.initialiseAll(ctx)
}

// initialiseAll initialises every id of every lane, a few at a time. All faults are joined.
func (p *Producer) initialiseAll(ctx context.Context) error {
	ids := make(chan string)
	faults := make(chan error)
	var workers sync.WaitGroup
	for range openWorkers {
		workers.Go(func() {
			for id := range ids {
				faults <- p.initialise(ctx, id)
			}
		})
	}
	go func() { // ends before workers.Wait returns, as the workers read until ids is closed; then closes what this function reads
		for _, lane := range p.every() {
			for _, slot := range lane.rotation.slots {
				ids <- slot.id
			}
		}
		close(ids)
		workers.Wait()
		close(faults)
	}()
	var all []error
	for err := range faults {
		if err != nil {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

// every gives the lanes of commands and the keeper.
func (p *Producer) every() []*Lane { return append(slices.Clone(p.lanes), p.keeper) }

// slot gives the slot that has an id here, nil when none has.
func (p *Producer) slot(id string) *slot {
	for _, lane := range p.every() {
		for _, s := range lane.rotation.slots {
			if s.id == id {
				return s
			}
		}
	}
	return nil
}

// Lane gives lane i, 0 to Config.Lanes-1. It is a [muster.Sink].
func (p *Producer) Lane(i int) *Lane { return p.lanes[i] }

// Lanes is how many lanes there are.
func (p *Producer) Lanes() int { return len(p.lanes) }

// Close waits for the commits in hand, which are bounded by the transaction timeout, and ends all clients. Further commits answer
// [ErrClosed]. The second call does nothing.
func (p *Producer) Close() {
	p.closing.Do(func() {
		p.stop()
		p.watched.Wait()
		var ending sync.WaitGroup
		for _, lane := range p.every() {
			ending.Go(lane.close)
		}
		ending.Wait()
		p.admin.Close()
	})
}

// transactionalGroup is the first part of the group's transactional ids.
func (p *Producer) transactionalGroup() string { return p.cfg.Kafka.Prefix + p.cfg.Group.Name() }

// pause is how long to wait before try n+1 of a request: 5 ms, doubled each time up to 200 ms. The client's own default begins at 250 ms,
// which is felt in every move of a coordinator.
func pause(tries int) time.Duration {
	const first, last = 5 * time.Millisecond, 200 * time.Millisecond
	if tries > 6 {
		return last
	}
	return min(first<<max(tries-1, 0), last)
}

// adminOptions are those of a client that only asks questions and initialises ids.
func adminOptions(timeout time.Duration) []kgo.Opt {
	return []kgo.Opt{
		kgo.RetryBackoffFn(pause),
		kgo.RetryTimeout(timeout),
		kgo.MetadataMinAge(10 * time.Millisecond),
	}
}
