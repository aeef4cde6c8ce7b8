package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/internal/seam"
	"github.com/seed-3eec0498/muster/journal"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/producer"
	"github.com/seed-3eec0498/muster/projector"
)

// Part is what a service can be opened with: an aggregate or a handler, which makes it the owner of their group, or what it runs for as long as
// it runs itself: a [muster.Subscription], or a projection ([projector.Part]). The parts that own one group are put together: at most one
// aggregate, one catch-all, one handler for each command. [Open] refuses everything else.
type Part any

// owning is a part that makes the service an owner.
type owning interface{ Behaviour() *muster.Behaviour }

// Service is one process's share in a service: the client, and the engines of the groups it owns. Make it with [Open], work with
// [Service.Run]; every other method may be called from any goroutine at any time.
type Service struct {
	cfg     Config
	name    string // of the instance
	log     *slog.Logger
	clock   *clock
	metrics *metrics
	board   *board
	client  *muster.Client
	sender  *producer.Sender
	replies *consumer.ReplyReader
	store   *journal.Store
	owners  []*owner
	readers []*subscriber // the subscriptions among the parts

	projections []*projection
	series      []*projector.Versions // all versions of each name among the projections
	control     *consumer.Table       // what operators want of them; nil where there are none
	views       *projector.Store      // nil where there are no views
	operator    *projector.Operator
	queries     *queries      // nil where there are no projections
	sealing     *crypto.Codec // nil where nothing is sealed
	privacy     *Privacy      // nil without Config.Erasure

	started chan struct{} // closed when Run begins to read replies
	closed  chan struct{} // closed by Close, or when Run ends
	once    sync.Once     // closes closed and what Open opened

	mu      sync.Mutex // guards running and failure
	running bool       // set by Run
	failure error      // why Run ended, when it was not asked to
}

// ErrClosed is what a service answers after Close, or after Run has ended.
var ErrClosed = errors.New("service: closed")

// Open checks everything it can: the settings, the contracts, the brokers, the topics, the data directory. It reports all faults of a
// kind at once. A service without parts owns nothing and has just its client. What Open opened is closed by Close, or at the end of Run.
func Open(ctx context.Context, cfg Config, parts ...Part) (*Service, error) {
	owners, subscriptions, projections, faults := cfg.sort(parts)
	behaviours, err := check(cfg, owners)
	if err = errors.Join(err, faults); err != nil {
		return nil, err
	}
	instance, err := instanceName(cfg)
	if err != nil {
		return nil, err
	}
	if cfg.Kafka.Link == nil {
		cfg.Kafka.Link = &kafka.Link{}
	}
	s := &Service{
		cfg: cfg, name: instance, log: cfg.logger().With("service", cfg.Name, "instance", instance), clock: newClock(seam.Of(ctx).Now),
		metrics: newMetrics(cfg.Metrics), started: make(chan struct{}), closed: make(chan struct{}),
	}
	s.board = newBoard(s.clock.Now)
	if err := s.openSealing(ctx); err != nil {
		return nil, err
	}
	if err := s.open(ctx, behaviours, subscriptions, projections); err != nil {
		s.shut()
		return nil, err
	}
	return s, nil
}

// check reports everything that is wrong without asking anybody else.
func check(cfg Config, parts []owning) ([]*muster.Behaviour, error) {
	faults := []error{cfg.Validate()}
	behaviours := merged(parts)
	for _, b := range behaviours {
		faults = append(faults, b.Validate())
	}
	faults = append(faults, cfg.retryGroups(behaviours)...)
	if len(behaviours) > 0 && cfg.DataDir == "" {
		faults = append(faults, fmt.Errorf("service %s: DataDir is empty; an owner keeps its local state there", cfg.Name))
	}
	return behaviours, errors.Join(faults...)
}

func (s *Service) open(ctx context.Context, behaviours []*muster.Behaviour, subscriptions []*muster.Subscription, projections []projector.Part) error {
	if err := s.checkTypes(behaviours, subscriptions, projections); err != nil {
		return err
	}
	if err := s.checkAccess(ctx, behaviours); err != nil {
		return err
	}
	ids, replies, err := s.topics(ctx, behaviours, len(projections) > 0)
	if err != nil {
		return err
	}
	if err := s.openErasures(ctx); err != nil {
		return err
	}
	if s.sender, err = producer.OpenSender(ctx, producer.SenderConfig{Kafka: s.cfg.connection(), Logger: s.log}); err != nil {
		return err
	}
	topic := muster.ReplyTopic(s.cfg.Prefix, s.cfg.Name)
	to := muster.ReplyTo{Topic: topic, Partition: kafka.Partition(s.name, replies)}
	s.client = muster.NewClient(muster.ClientConfig{
		Sender: s.sender, Codec: s.cfg.codec(), ReplyTo: to, Timeout: s.cfg.CallTimeout, Ready: s.awaitReplies, Now: s.clock.Now,
		Middleware: s.metrics.around(s.cfg.Sending), Tracer: s.cfg.Tracer, Views: s,
	})
	s.replies, err = consumer.OpenReplies(ctx, consumer.RepliesConfig{
		Kafka: s.cfg.connection(), Service: s.cfg.Name, Partition: to.Partition, Partitions: replies, Deliver: s.client.Deliver, Step: s.client.DeliverStep, Logger: s.log,
	})
	if err != nil {
		return err
	}
	if len(behaviours) > 0 {
		if err := os.MkdirAll(s.cfg.DataDir, 0o755); err != nil {
			return fmt.Errorf("service %s: DataDir: %w", s.cfg.Name, err)
		}
		if err := checkTopicIDs(s.cfg.DataDir, ids); err != nil {
			return err
		}
		store := s.cfg.StateStore.config()
		store.Dir, store.FS, store.Logger, store.DedupWindow = s.storeDir(), seam.Of(ctx).FS, s.log, s.cfg.DedupWindow
		store.Observe.Rebuilt = func(r journal.Rebuilt) { s.metrics.rebuilt(s.cfg.Prefix, r) }
		if s.store, err = journal.Open(store); err != nil {
			return err
		}
	}
	for _, b := range behaviours {
		o, err := s.openOwner(ctx, b, ids[b.Group().Name()])
		if o != nil {
			s.owners = append(s.owners, o)
		}
		if err != nil {
			return err
		}
	}
	for _, sub := range subscriptions {
		one, err := s.openSubscription(ctx, sub)
		if err != nil {
			return err
		}
		s.readers = append(s.readers, one)
	}
	if err := s.openProjections(ctx, projections); err != nil {
		return err
	}
	s.gauges()
	s.linkMetrics()
	for _, p := range s.projections {
		s.metrics.projections.begin(p.String())
	}
	for _, o := range s.owners {
		s.metrics.begin(o.group.Name())
	}
	return s.metrics.register()
}

// topics makes or checks all topics the service needs; it gives their ids by group, and the partition count of the reply topic.
func (s *Service) topics(ctx context.Context, behaviours []*muster.Behaviour, projections bool) (map[string]kafka.TopicIDs, int32, error) {
	admin, err := kafka.OpenAdmin(ctx, s.cfg.connection())
	if err != nil {
		return nil, 0, err
	}
	defer admin.Close()
	create := !s.cfg.ExistingTopics
	ids, faults := map[string]kafka.TopicIDs{}, []error(nil)
	if len(behaviours) > 0 {
		faults = append(faults, admin.CheckTransactions(ctx))
	}
	for _, b := range behaviours {
		topics, err := admin.EnsureGroup(ctx, b.Group(), create)
		faults = append(faults, err)
		ids[b.Group().Name()] = topics
	}
	if projections {
		faults = append(faults, admin.EnsureControl(ctx, s.cfg.Name, create))
	}
	if e := s.cfg.Erasure; e != nil && e.Ledger == nil {
		faults = append(faults, admin.EnsureErasures(ctx, e.over(s.cfg.Privacy).KeySpace, create))
	}
	replies, err := admin.EnsureReplies(ctx, s.cfg.Name, s.cfg.replyPartitions(), create)
	faults = append(faults, err)
	return ids, replies, errors.Join(faults...)
}

func (s *Service) openOwner(ctx context.Context, b *muster.Behaviour, ids kafka.TopicIDs) (*owner, error) {
	g, connection := b.Group(), s.cfg.connection()
	states, err := s.store.Group(g, s.cfg.Prefix, ids)
	if err != nil {
		return nil, err
	}
	o := &owner{
		cfg: s.cfg, group: g, behaviour: b, log: s.log, metrics: s.metrics, clock: s.clock, states: states, replies: s.sender, board: s.board, privacy: s.privacy,
		tenure: map[int32]*tenure{}, hands: map[int]*hand{}, failed: make(chan error, 1), idle: make(chan struct{}),
		limit: make(chan struct{}, recoveries), topicID: ids[g.JournalTopic(s.cfg.Prefix)], pulses: make([]pulse, s.cfg.lanes()), handling: handlingOf(b, s.cfg),
	}
	o.snapshots = newSnapshots(o)
	o.processor = muster.NewProcessor(b, muster.ProcessorConfig{
		Codec: s.cfg.codec(), States: states, Prefix: s.cfg.Prefix, Client: s.client, Steps: o.step, Bound: o.bound,
		Retry: s.cfg.retryOf(g.Name()), MaxWaiting: s.cfg.maxWaiting(),
		Middleware: s.metrics.around(s.cfg.Handling), Tracer: s.cfg.Tracer,
	})
	o.reader = consumer.JournalConfig{Kafka: connection, Group: g, Foreign: o.foreign}
	o.consumer, err = consumer.Open(ctx, consumer.Config{
		Kafka: connection, Group: g, Service: s.cfg.Name, Instance: s.name, Lanes: s.cfg.lanes(), BatchRecords: s.cfg.batchRecords(),
		SessionTimeout: s.cfg.SessionTimeout, Logger: s.log, OnFault: o.fetchFault,
		OnPending: o.pending, MaxWaiting: s.cfg.maxWaiting(), Now: s.clock.Now, Narrow: b.Effects(),
	})
	if err != nil {
		return nil, err
	}
	o.producer, err = producer.Open(ctx, producer.Config{
		Kafka: connection, Group: g, Instance: s.name, Slots: s.cfg.slots(), Lanes: s.cfg.lanes(),
		TransactionTimeout: s.cfg.TransactionTimeout, Claims: o.consumer, Logger: s.log, OnHanging: o.hanging,
		Observe: func(stage string, d time.Duration) { s.metrics.stage(g.Name(), stage, d) }, Failpoint: s.cfg.Failpoint,
	})
	return o, err
}

// Client sends commands and waits for their outcomes. It works while Run does; a call made before Run waits for it.
func (s *Service) Client() *muster.Client { return s.client }

// Instance gives the name of this replica.
func (s *Service) Instance() string { return s.name }

// PayloadCodec is the codec every payload passes.
func (s *Service) PayloadCodec() muster.Codec { return s.cfg.codec() }

// awaitReplies blocks until replies are read.
func (s *Service) awaitReplies(ctx context.Context) error {
	select {
	case <-s.started:
		return nil
	default:
	}
	select {
	case <-s.started:
		return nil
	case <-s.closed:
		return muster.ErrShuttingDown
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close ends what Open opened. While Run works, end its context instead: Close then only waits for it. A second Close does nothing.
func (s *Service) Close() error {
	s.mu.Lock()
	running := s.running
	s.running = true // a later Run is refused
	s.mu.Unlock()
	if !running {
		s.shut()
	}
	<-s.closed
	return nil
}

// shut closes everything, in the reverse order of opening.
func (s *Service) shut() {
	s.once.Do(func() {
		if s.client != nil {
			s.client.Close()
		}
		for _, o := range s.owners {
			o.close()
		}
		s.shutProjections()
		if s.privacy != nil {
			s.privacy.close()
		}
		if s.replies != nil {
			s.replies.Close()
		}
		if s.sender != nil {
			s.sender.Close()
		}
		if s.store != nil {
			if err := s.store.Close(); err != nil {
				s.log.Error("the local store did not close cleanly; it is checked at the next start", "error", err)
			}
		}
		s.shutSealing()
		s.metrics.unregister()
		close(s.closed)
	})
}
