package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// SharingConfig says whose partitions are shared, and under which name. Kafka, Group, ConsumerGroup and Instance must be set.
type SharingConfig struct {
	// Kafka says how to reach the cluster.
	Kafka kafka.Config

	// Group is the group whose journal's partitions are shared.
	Group *muster.Group

	// ConsumerGroup is the Kafka consumer group of all who share them. It is for assignment alone: nothing is fetched or committed with it.
	ConsumerGroup string

	// Service and Instance say who this is. The instance keeps its name, and with it its partitions, over a restart (static membership, KIP-345).
	Service  string
	Instance string

	// Address is the base URL at which this instance answers queries. Empty means that it answers none.
	Address string

	// Standbys is how many other members keep a copy of each partition's results, see [Sharing.Standbys]. Zero means none.
	Standbys int

	// Copies gives how far the copies reach that this member has, of partitions it holds or not, by any measure that is the same on all members. Who has the
	// farthest copy of a partition that nobody owns gets it, as far as the balance allows. It is asked at every rebalance. Nil means that there are none.
	Copies func() map[int32]int64

	// SessionTimeout is how long the group waits for a silent member before its partitions go to others. Zero means 10 s.
	SessionTimeout time.Duration

	// RevokeTimeout is how long giving up partitions may take before the context of that ends. It must stay below the rebalance timeout of
	// 30 s. Zero means 15 s.
	RevokeTimeout time.Duration

	// Logger receives what happens to the membership. Nil means that nothing is logged.
	Logger *slog.Logger
}

const (
	defaultRelease = 15 * time.Second
	orphanInterval = 5 * time.Second // between looks for partitions nobody was assigned
)

// Validate returns all faults of the configuration joined into one error, or nil.
func (c SharingConfig) Validate() error {
	faults := []error{c.Kafka.Validate()}
	add := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf("consumer: "+format, args...))
		}
	}
	if c.Group == nil {
		add(true, "Group is missing; give the group whose journal is shared")
	} else {
		faults = append(faults, c.Group.Validate())
	}
	add(c.ConsumerGroup == "", "ConsumerGroup is empty; give the name that all who share have in common")
	add(c.Instance == "", "Instance is empty; give each replica a name that survives its restart, such as the pod's name")
	add(c.SessionTimeout != 0 && c.SessionTimeout < 100*time.Millisecond, "SessionTimeout is %v; choose 100 ms or more, or 0 for %v",
		c.SessionTimeout, defaultSession)
	add(c.Standbys < 0, "Standbys is %d; choose 1 or more, or 0 for none", c.Standbys)
	add(c.RevokeTimeout < 0 || c.RevokeTimeout >= rebalanceTimeout, "RevokeTimeout is %v; it must be below the rebalance timeout of %v, 0 means %v",
		c.RevokeTimeout, rebalanceTimeout, defaultRelease)
	return errors.Join(faults...)
}

// Sharing shares the partitions of a journal among instances, for whoever reads them by other means: a projection reads several journals by
// its own checkpoints. Its methods may be called by any goroutine.
//
// Where a member is cut off from the brokers, others get its partitions before it knows. Who must not write then needs a fence of its own.
type Sharing struct {
	config SharingConfig
	log    *slog.Logger
	topic  string
	admin  *kgo.Client // outside of the group
	adm    *kadm.Client

	mu     sync.Mutex // guards what follows
	last   map[int32]Holder
	copies map[int32][]Holder // belongs to last
	ran    bool
	joined chan struct{} // closed at the first assignment, be it empty

	shuffled chan struct{} // closed and replaced when the assignment has changed
}

// Joined gives a channel that is closed when the group has said for the first time what is this member's, which may be nothing.
func (s *Sharing) Joined() <-chan struct{} { return s.joined }

// Holder is who has a partition.
type Holder struct {
	Instance string
	Address  string // base URL; empty where it answers no queries
}

// OpenSharing checks the configuration. It joins no group; [Sharing.Run] does. The caller closes it.
func OpenSharing(config SharingConfig) (*Sharing, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	admin, err := config.Kafka.Client(kgo.MetadataMinAge(metadataAge))
	if err != nil {
		return nil, err
	}
	return &Sharing{
		config: config, log: orDiscard(config.Logger), topic: config.Group.JournalTopic(config.Kafka.Prefix), admin: admin, adm: kadm.NewClient(admin),
		joined: make(chan struct{}), shuffled: make(chan struct{}),
	}, nil
}

// Close ends the connection, after Run has returned.
func (s *Sharing) Close() { s.admin.Close() }

// Run takes part until ctx ends, which gives nil, or until it cannot go on: another process uses the same instance name, or the consumer
// group is used with another protocol. gain is called with partitions that are now this member's, lose with those that go to another one,
// which gets them when lose has returned; its context ends after RevokeTimeout, and lose must heed it. They are called one at a time. What is
// held is lost before Run returns; it does not leave the group, see [Sharing.Leave]. It can run once.
func (s *Sharing) Run(ctx context.Context, gain, lose func(ctx context.Context, partitions []int32)) error {
	s.mu.Lock()
	ran := s.ran
	s.ran = true
	s.mu.Unlock()
	if ran {
		return fmt.Errorf("sharing of %s ran already; open another one: %w", s.topic, muster.ErrShuttingDown)
	}
	shown := newBadge(s.config.Service, time.Now())
	shown.Address, shown.Standbys = s.config.Address, s.config.Standbys
	namesakes := namesakes{log: s.log, group: s.config.ConsumerGroup, instance: s.config.Instance, process: shown.Process, describe: s.describe}
	for {
		inner, fail := context.WithCancelCause(ctx)
		m := &sharer{Sharing: s, ctx: inner, fail: fail, gain: gain, lose: lose, held: map[int32]bool{}, badge: shown}
		err := m.run(inner)
		fail(nil)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the end of ctx is the way Run is meant to end
		case !errors.Is(err, kerr.FencedInstanceID):
			return err
		}
		if err := namesakes.judge(ctx, err); err != nil {
			return err
		}
	}
}

// sharer is one membership of a [Sharing].
type sharer struct {
	*Sharing
	ctx        context.Context         // ends with Run, or with the reason it cannot go on
	fail       context.CancelCauseFunc // ends ctx; the first reason counts
	gain, lose func(context.Context, []int32)
	badge      badge

	turn sync.Mutex // held while gain or lose is called; guards held and over
	held map[int32]bool
	over bool // what comes later is not taken
}

func (m *sharer) run(ctx context.Context) error {
	// The client outlives ctx: closing it properly takes requests.
	life, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	client, err := m.config.Kafka.Client(append(m.options(), kgo.WithContext(life))...)
	if err != nil {
		return err
	}
	client.PauseFetchTopics(m.topic) // nothing is ever fetched
	var upkeep sync.WaitGroup
	upkeep.Go(func() { m.adopt(client) })
	for ctx.Err() == nil {
		fetches := client.PollFetches(ctx) // it tells the faults of the membership
		if ctx.Err() == nil {
			fetches.EachError(func(_ string, _ int32, err error) { m.fault(err) })
		}
	}
	upkeep.Wait()
	m.turn.Lock()
	m.over = true
	m.giveUp(ctx, slices.Collect(maps.Keys(m.held)))
	m.turn.Unlock()
	forced := time.AfterFunc(closeGrace, kill)
	defer forced.Stop()
	client.Close()
	return context.Cause(ctx)
}

func (m *sharer) options() []kgo.Opt {
	session := orDefault(m.config.SessionTimeout, defaultSession)
	return []kgo.Opt{
		kgo.ConsumerGroup(m.config.ConsumerGroup),
		kgo.InstanceID(m.config.Instance),
		kgo.ConsumeTopics(m.topic),
		kgo.Balancers(badged{kgo.CooperativeStickyBalancer(), m.badge, m.topic, m.config.Copies}),
		kgo.SessionTimeout(session),
		kgo.HeartbeatInterval(session / heartbeatsPerSession),
		kgo.RebalanceTimeout(rebalanceTimeout),
		kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(m.assigned),
		kgo.OnPartitionsRevoked(m.gone),
		kgo.OnPartitionsLost(m.gone),
		kgo.ConsumeStartOffset(kgo.NewOffset().At(0)), // where it would start if it were not paused: asks nobody
		kgo.MetadataMinAge(metadataAge),
	}
}

// badged is a balancer whose members wear a badge.
type badged struct {
	kgo.GroupBalancer
	badge  badge
	topic  string
	copies func() map[int32]int64 // may be nil
}

// JoinGroupMetadata implements kgo.GroupBalancer.
func (b badged) JoinGroupMetadata(interests []string, owned map[string][]int32, generation int32) []byte {
	if b.copies != nil {
		b.badge.Copies = b.copies()
	}
	return b.badge.pin(b.GroupBalancer.JoinGroupMetadata(interests, owned, generation))
}

func (m *sharer) assigned(ctx context.Context, _ *kgo.Client, fresh map[string][]int32) {
	m.turn.Lock()
	defer m.turn.Unlock()
	var gained []int32
	for _, p := range fresh[m.topic] {
		if !m.over && !m.held[p] {
			m.held[p] = true
			gained = append(gained, p)
		}
	}
	if len(gained) > 0 {
		slices.Sort(gained)
		m.log.InfoContext(ctx, "partitions assigned", "group", m.config.ConsumerGroup, "partitions", gained)
		m.gain(ctx, gained)
	}
	select {
	case <-m.joined:
	default:
		close(m.joined)
	}
	m.shuffle()
}

// gone runs before partitions go to others, or when they may have them already.
func (m *sharer) gone(ctx context.Context, _ *kgo.Client, gone map[string][]int32) {
	m.turn.Lock()
	defer m.turn.Unlock()
	m.giveUp(ctx, gone[m.topic])
	m.shuffle()
}

// giveUp has partitions released. The caller holds turn.
func (m *sharer) giveUp(ctx context.Context, partitions []int32) {
	var lost []int32
	for _, p := range partitions {
		if m.held[p] {
			delete(m.held, p)
			lost = append(lost, p)
		}
	}
	if len(lost) == 0 {
		return
	}
	slices.Sort(lost)
	m.log.InfoContext(ctx, "partitions given up", "group", m.config.ConsumerGroup, "partitions", lost)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), orDefault(m.config.RevokeTimeout, defaultRelease))
	defer cancel()
	m.lose(ctx, lost)
}

// fault tells an error of the membership. Those that waiting does not mend end Run.
func (m *sharer) fault(err error) {
	name := m.config.ConsumerGroup
	switch {
	case errors.Is(err, kerr.FencedInstanceID):
		m.fail(err) // Run looks into it
	case errors.Is(err, kerr.InconsistentGroupProtocol):
		m.fail(fmt.Errorf("consumer group %q is used with another protocol (%w); stop its other members", name, err))
	case errors.Is(err, kerr.InvalidSessionTimeout):
		m.fail(fmt.Errorf("the brokers do not allow the session timeout (%w); choose one between their group.min.session.timeout.ms and "+
			"group.max.session.timeout.ms", err))
	default:
		m.log.ErrorContext(m.ctx, "membership ended, joining again", "group", name,
			"error", m.config.Kafka.Map("join", err, kafka.On(kafka.GroupResource, name, "Read")...))
		_ = pause(m.ctx, retryInterval)
	}
}

// adopt forces a rebalance where partitions were found twice in a row that nobody was assigned; see Consumer.adopt.
func (m *sharer) adopt(client *kgo.Client) {
	var missed map[int32]bool
	for pause(m.ctx, orphanInterval) == nil {
		group, err := m.describe(m.ctx)
		if err != nil || group.State != "Stable" {
			missed = nil
			continue
		}
		var again bool
		if missed, again = unassigned(group, m.topic, m.config.Group.Partitions(), missed); again {
			m.log.WarnContext(m.ctx, "no member was assigned these partitions; forcing a rebalance", "group", m.config.ConsumerGroup,
				"partitions", slices.Sorted(maps.Keys(missed)))
			client.ForceRebalance()
			missed = nil
		}
	}
}
