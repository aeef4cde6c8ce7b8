package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// Consumer is one member of the consumer group that owns the partitions of a group. Its methods may be called by any goroutine.
type Consumer struct {
	config  Config
	log     *slog.Logger
	badge   badge
	topic   string // of the commands
	journal string // the topic whose leaders make the lanes
	members string // name of the Kafka consumer group

	admin *kgo.Client  // outside of the group; made by Open, closed by Close
	adm   *kadm.Client // the same client

	changes *changes
	wake    []chan struct{} // one per lane, room for one token: there may be something to poll
	second  []chan struct{} // likewise, for who waits in PollBacklog
	relane  chan struct{}   // room for one: read the leaders of the journal now

	telling sync.Mutex // held while OnFault is called

	mu     sync.Mutex      // guards what follows
	parts  map[int32]*part // what is held; membership adds and removes, see part
	hidden map[int32]bool  // assigned, and their committed offsets not known yet; joined adds, assigned and the end of a session remove
	client *kgo.Client     // the member; set while a session lasts, see Run
	fail   func(error)     // ends that session; set as long
	lanes  *lanes
	turn   []int // per lane, moves the first place in a Work round
	phase  phase
	end    context.CancelFunc // ends Run

	ended chan struct{} // closed when Run has returned, or by Close when it never ran; not guarded
}

// phase is where a consumer is in its life: open -> running -> over. Close takes an open one to over.
type phase uint8

const (
	phaseOpen phase = iota
	phaseRunning
	phaseOver
)

// Open checks the configuration, connects, and reads which brokers lead the journal. It joins no group; [Consumer.Run] does.
//
// The error joins all faults of the configuration, or says why the cluster or the group's topics cannot be reached before ctx ends, or
// names the other service that owns the group ([ReasonRival]).
func Open(ctx context.Context, config Config) (*Consumer, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	prefix := config.Kafka.Prefix
	c := &Consumer{
		config: config, log: config.logger(), badge: newBadge(config.Service, time.Now()),
		topic: config.Group.CommandTopic(prefix), journal: config.Group.JournalTopic(prefix), members: config.consumerGroup(),
		changes: newChanges(), relane: make(chan struct{}, 1),
		parts: map[int32]*part{}, hidden: map[int32]bool{}, lanes: newLanes(config.lanes()), turn: make([]int, config.lanes()), ended: make(chan struct{}),
	}
	for range config.lanes() {
		c.wake, c.second = append(c.wake, make(chan struct{}, 1)), append(c.second, make(chan struct{}, 1))
	}
	admin, err := config.Kafka.Client(kgo.MetadataMinAge(metadataAge))
	if err != nil {
		return nil, err
	}
	c.admin, c.adm = admin, kadm.NewClient(admin)
	if err := whenSettled(ctx, func() error { return c.readLeaders(ctx) }); err != nil {
		admin.Close()
		return nil, config.Kafka.Map(fmt.Sprintf("consumer of group %q: journal leaders", config.Group.Name()), err, kafka.On(kafka.TopicResource, c.journal, "Read")...)
	}
	if err := c.alone(ctx); err != nil {
		admin.Close()
		return nil, err
	}
	return c, nil
}

// Run joins the consumer group and takes in commands until ctx ends, which gives nil, or until it cannot go on: another process uses the
// same instance name, the command topic was deleted and made again, or the group is consumed with another protocol. [Consumer.Claim] answers
// while Run runs, so end ctx after the last commit. Run leaves no goroutine behind; it does not leave the group, see [Consumer.Leave]. It can
// run once.
func (c *Consumer) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.mu.Lock()
	if c.phase != phaseOpen {
		c.mu.Unlock()
		return fmt.Errorf("consumer of group %q runs already or is closed; open another one: %w", c.config.Group.Name(), muster.ErrShuttingDown)
	}
	c.phase, c.end = phaseRunning, cancel
	c.mu.Unlock()

	var others sync.WaitGroup
	others.Go(func() { c.changes.deliver(ctx) })
	others.Go(func() { c.upkeep(ctx) })
	var err error
	namesakes := namesakes{log: c.log, group: c.members, instance: c.config.Instance, process: c.badge.Process, describe: c.describe}
	for {
		if err = c.session(ctx); !errors.Is(err, errMembershipBroken) || ctx.Err() != nil {
			break
		}
		if errors.Is(err, kerr.FencedInstanceID) {
			if err = namesakes.judge(ctx, kerr.FencedInstanceID); err != nil {
				break
			}
			continue
		}
		c.log.WarnContext(ctx, "membership was lost and taken up again in one step; starting over", "group", c.members)
	}
	interrupted := ctx.Err() != nil
	cancel()
	others.Wait()

	c.mu.Lock()
	c.parts, c.phase = map[int32]*part{}, phaseOver
	close(c.ended)
	c.mu.Unlock()
	if interrupted {
		return nil
	}
	return fmt.Errorf("consumer of group %q: %w", c.config.Group.Name(), err)
}

// Changes gives the rebalances as values, in order. It must be read while Run runs; it is closed when Run ends.
func (c *Consumer) Changes() <-chan Change { return c.changes.out }

// Serve says that the state of a held partition is recovered: its commands are handed out from now on. Unknown partitions are passed over.
// See also [Change.Serve].
func (c *Consumer) Serve(partition int32) {
	c.mu.Lock()
	p := c.parts[partition]
	c.mu.Unlock()
	if p != nil {
		c.serve(p)
	}
}

func (c *Consumer) serve(p *part) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.parts[p.partition] == p {
		p.served = true
		c.rouse(p.lane)
	}
}

// Lag gives, per held partition, how many offsets lie between the next command to hand out and the high watermark as the latest fetch told
// it. Transaction markers count where they have not been read yet.
func (c *Consumer) Lag() map[int32]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	lag := make(map[int32]int64, len(c.parts))
	for partition, p := range c.parts {
		lag[partition] = max(0, p.high-p.position())
	}
	return lag
}

// Leave ends Run and takes the instance out of the group, so that the others need not wait for its session to time out. Without it a
// restart inside the session timeout takes up the same partitions without a rebalance. Finish, or abandon, all Work first.
func (c *Consumer) Leave(ctx context.Context) error {
	c.stop()
	return leave(ctx, c.adm, c.config.Kafka, c.members, c.config.Instance)
}

// Close ends Run and the connections. The second call does nothing.
func (c *Consumer) Close() {
	c.stop()
	c.admin.Close()
}

// stop returns when Run has returned, or when it is certain that it never will run.
func (c *Consumer) stop() {
	c.mu.Lock()
	switch c.phase {
	case phaseOpen:
		c.phase = phaseOver
		close(c.ended)
		close(c.changes.out)
	case phaseRunning:
		c.end()
	case phaseOver:
	}
	c.mu.Unlock()
	<-c.ended
}
