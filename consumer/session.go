package consumer

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/seed-3eec0498/muster/internal/mutant"
)

// errMembershipBroken ends a session whose membership kgo took up again without saying that it had been lost; see membership.
var errMembershipBroken = errors.New("membership lost and regained")

// errSessionOver is what kgo hears that comes with an assignment too late.
var errSessionOver = errors.New("the session is over")

// closeGrace bounds how long the end of a session waits for a rebalance in flight.
const closeGrace = 2 * time.Second

// session is the life of one kgo group client. The goroutine of Run polls; kgo's own goroutine calls assigned, revoked, lost and
// [membership].
type session struct {
	*Consumer
	run  context.Context         // Run's
	ctx  context.Context         // ends with run, or with the reason the session cannot go on
	fail context.CancelCauseFunc // ends ctx; the first reason counts

	made     chan struct{}    // closed when Consumer.client is there: kgo joins while it is made
	over     bool             // guarded by Consumer.mu: set at the end; the callbacks then take in nothing and wait for nobody
	metadata map[int32]string // of the committed offsets; fetched writes it, assigned reads it after that

	broken []*part // guarded by Consumer.mu: what membership took away, to be announced by the goroutine of Run
}

// session joins the group, takes in what is fetched until ctx ends or the membership breaks, and says why it ended.
func (c *Consumer) session(ctx context.Context) error {
	inner, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	s := &session{Consumer: c, run: ctx, ctx: inner, fail: fail, made: make(chan struct{})}

	// The client outlives inner: closing it properly takes requests.
	life, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	client, err := c.config.Kafka.Client(append(s.options(), kgo.WithContext(life))...)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.client, c.fail = client, func(err error) { fail(err) }
	c.mu.Unlock()
	close(s.made)

	for inner.Err() == nil {
		fetches := client.PollFetches(inner)
		if inner.Err() == nil {
			s.take(client, fetches)
		}
		client.AllowRebalance()
	}

	c.mu.Lock()
	gone := slices.Concat(s.broken, c.heldLocked())
	c.dropLocked(gone)
	c.client, c.fail, c.hidden, s.over = nil, nil, map[int32]bool{}, true
	c.mu.Unlock()
	if len(gone) > 0 && errors.Is(context.Cause(inner), errMembershipBroken) { // otherwise Run ends, which says it all
		s.announce(Change{Lost: partitionsOf(gone)})
	}
	forced := time.AfterFunc(closeGrace, kill)
	defer forced.Stop()
	client.CloseAllowingRebalance()
	return context.Cause(inner)
}

func (s *session) options() []kgo.Opt {
	c := s.config
	options := []kgo.Opt{
		kgo.ConsumerGroup(s.members),
		kgo.InstanceID(c.Instance),
		kgo.ConsumeTopics(s.topic),
		kgo.Balancers(membership{GroupBalancer: kgo.CooperativeStickyBalancer(), session: s}),
		kgo.SessionTimeout(c.session()),
		kgo.HeartbeatInterval(c.heartbeat()),
		kgo.RebalanceTimeout(rebalanceTimeout),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(), // what was fetched is in the buffers before its partition can go
		kgo.OnOffsetsFetched(s.fetched),
		kgo.AdjustFetchOffsetsFn(s.assigned),
		kgo.OnPartitionsAssigned(s.joined),
		kgo.OnPartitionsRevoked(s.revoked),
		kgo.OnPartitionsLost(s.lost),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),  // see outOfRange
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), // commands written with a Writer are part of a transaction
		kgo.KeepControlRecords(),                     // so that the position moves over markers
		kgo.FetchMaxWait(fetchWait),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(fetchPartitionBytes),
		kgo.MetadataMinAge(metadataAge),
	}
	if mutant.RecoveryInCallback { // an OffsetFetch of before KIP-447 does not wait for what is pending
		early := kversion.Stable()
		early.SetMaxKeyVersion(int16(kmsg.OffsetFetch), 6)
		options = append(options, kgo.MaxVersions(early))
	}
	return options
}

// take files what one poll brought. Rebalances wait until it is done, so a partition that is held now is held by the ownership the records
// were fetched for.
func (s *session) take(client *kgo.Client, fetches kgo.Fetches) {
	fetches.EachError(func(topic string, partition int32, err error) { s.fault(client, topic, partition, err) })

	gone := map[int32][]int64{}
	defer func() {
		for partition, offsets := range gone {
			s.tellGone(partition, offsets)
		}
	}()
	s.mu.Lock()
	defer s.mu.Unlock()
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		p := s.parts[f.Partition]
		if p == nil || f.Topic != s.topic || len(f.Records) == 0 {
			return
		}
		p.receive(f.Records, f.HighWatermark)
		gone[f.Partition] = p.giveUpLocked()
		s.fetchLocked(p)
		if p.buffer.records > p.taken {
			s.rouse(p.lane)
		}
	})
}
