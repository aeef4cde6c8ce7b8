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

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// Subscriber reads the events of a group for one subscription, with a consumer group or without. Its methods may be called by any goroutine.
//
// One goroutine polls and files records in the buffers of their partitions; each partition has a [follower] that delivers them one after
// another. A buffer that is full pauses the fetching of its partition, so a slow partition holds up neither the others nor other
// subscriptions, and nothing is dropped.
type Subscriber struct {
	config SubscriberConfig
	log    *slog.Logger
	topic  string
	start  starting // fixed by OpenSubscriber, read-only afterwards

	mu        sync.Mutex          // guards what follows and the fields of followers that say so
	followers map[int32]*follower // partitions that are read; a rebalance, or Run, adds and removes
	client    *kgo.Client         // set while Run reads
	ran       bool
	told      string // the last error of a fetch, so that a retry does not tell it again

	committing sync.Mutex // held from reading what is done until the group has it, so that no older place is committed after a newer one

	soft context.Context         // of Run: ends when nothing new is to be begun; written by Run before anything reads it
	fail context.CancelCauseFunc // ends soft; the first reason counts
	hard context.Context         // ends with the time to drain
}

// OpenSubscriber checks the configuration and fixes where the reading starts: nothing committed after it has returned is missed, however
// long Run takes to start. It fails when the journal does not exist, or a position is not in it ([ErrDataLoss]). It holds no connection.
func OpenSubscriber(ctx context.Context, config SubscriberConfig) (*Subscriber, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	s := &Subscriber{config: config, log: orDiscard(config.Logger), topic: config.topic(), followers: map[int32]*follower{}}
	var err error
	s.start, err = startOf(ctx, config.Kafka, &config.Reading)
	return s, err
}

// errUntil ends a reading that has come to its end.
var errUntil = errors.New("all has been read")

// Run delivers events until ctx ends, which gives nil, until all has been read where that was asked for, which gives nil too, or until it
// cannot go on: Deliver has said so, an event that is next is not in the log any more ([ErrDataLoss]), or the journal was deleted and made
// again. What is in hand when ctx ends is finished, bounded by DrainTimeout, and what is done is committed. Run leaves no goroutine behind, but
// for a Deliver that ignores its context. It can run once.
func (s *Subscriber) Run(ctx context.Context) error {
	s.mu.Lock()
	ran := s.ran
	s.ran = true
	s.mu.Unlock()
	if ran {
		return fmt.Errorf("subscriber of %s ran already; open another one: %w", s.topic, muster.ErrShuttingDown)
	}
	hard, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	soft, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	s.soft, s.fail, s.hard = soft, fail, hard
	overtime := context.AfterFunc(soft, func() {
		timer := time.AfterFunc(s.config.drain(), kill)
		context.AfterFunc(hard, func() { timer.Stop() })
	})
	defer overtime()

	var err error
	if s.config.Reading.UntilEnd {
		err = s.readUntil()
	} else {
		err = s.follow(soft)
	}
	if errors.Is(err, errUntil) || ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return nil
	}
	return err
}

// follow polls until soft ends, and says why it did.
func (s *Subscriber) follow(ctx context.Context) error {
	// The client outlives soft: committing what is done takes requests.
	life, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	client, err := s.config.Kafka.Client(append(s.options(), kgo.WithContext(life))...)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.client = client
	s.mu.Unlock()
	if s.config.ConsumerGroup == "" {
		s.begin(s.start.from)
	}
	var upkeep sync.WaitGroup
	upkeep.Go(s.upkeep)
	for ctx.Err() == nil {
		fetches := client.PollFetches(ctx)
		if ctx.Err() == nil {
			s.take(fetches)
		}
		client.AllowRebalance()
	}
	upkeep.Wait()
	s.release(ctx, s.held(), s.config.drain(), true)
	forced := time.AfterFunc(closeGrace, kill)
	defer forced.Stop()
	client.CloseAllowingRebalance() // leaves the group
	s.mu.Lock()
	s.client = nil
	s.mu.Unlock()
	if s.config.Lag != nil {
		s.config.Lag(0)
	}
	return context.Cause(ctx)
}

func (s *Subscriber) options() []kgo.Opt {
	opts := []kgo.Opt{
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), // see fault
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // so that the place moves over markers and what was aborted before them
		kgo.FetchMaxWait(fetchWait),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(fetchPartitionBytes),
		kgo.MetadataMinAge(metadataAge),
	}
	if s.config.ConsumerGroup == "" {
		from := map[int32]kgo.Offset{}
		for _, p := range s.wanted() {
			from[p] = kgo.NewOffset().At(s.start.from[p])
		}
		return append(opts, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{s.topic: from}))
	}
	return append(opts,
		kgo.ConsumerGroup(s.config.ConsumerGroup),
		kgo.ConsumeTopics(s.topic),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), // assigned pins another one
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.SessionTimeout(s.config.session()),
		kgo.HeartbeatInterval(s.config.session()/heartbeatsPerSession),
		kgo.RebalanceTimeout(rebalanceTimeout),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(), // what was fetched is in the buffers before its partition can go
		kgo.AdjustFetchOffsetsFn(s.assigned),
		kgo.OnPartitionsRevoked(s.revoked),
		kgo.OnPartitionsLost(s.lost),
	)
}

// wanted gives the partitions a reader without a group reads: all, or those of the aggregates it wants.
func (s *Subscriber) wanted() []int32 {
	g := s.config.Reading.Group
	if ids := s.config.Reading.Aggregates; len(ids) > 0 {
		some := map[int32]bool{}
		for _, id := range ids {
			some[kafka.Partition(id, g.Partitions())] = true
		}
		return slices.Sorted(maps.Keys(some))
	}
	return slices.Sorted(maps.Keys(s.start.from))
}

// take files what one poll brought.
func (s *Subscriber) take(fetches kgo.Fetches) {
	faulty := false
	fetches.EachError(func(topic string, partition int32, err error) {
		faulty = true
		s.fault(topic, partition, err)
	})
	s.mu.Lock()
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		if to := s.followers[f.Partition]; to != nil && f.Topic == s.topic && len(f.Records) > 0 {
			to.receive(f.Records, f.HighWatermark)
			s.told = ""
		}
	})
	s.mu.Unlock()
	if faulty {
		_ = pause(s.soft, retryInterval) // the client has no pause of its own after some of them; the end of soft is seen by the caller
	}
}

// fault decides what an error of a fetch means: some end the reading, the client tries again after the others.
func (s *Subscriber) fault(topic string, partition int32, err error) {
	_, cut := errors.AsType[*kgo.ErrDataLoss](err)
	switch {
	case cut, errors.Is(err, kerr.OffsetOutOfRange):
		s.fail(fmt.Errorf("%s[%d]: %w: %w; find out what cut the journal, then start anew from a place it has", topic, partition, ErrDataLoss, err))
		return
	case errors.Is(err, kerr.UnknownTopicID):
		s.fail(fmt.Errorf("%s was deleted and made again (%w); what was handled belongs to the old one, so use another name for the subscription", s.topic, err))
		return
	}
	s.mu.Lock()
	text := err.Error()
	again := s.told == text
	s.told = text
	s.mu.Unlock()
	if !again {
		s.log.ErrorContext(s.soft, "events cannot be read; trying again", "topic", s.topic, "partition", partition, "error", kafka.Map("read events", err))
	}
}

// Lag gives, per partition that is read, how many offsets lie between what is done and the high watermark as the latest fetch told it.
func (s *Subscriber) Lag() map[int32]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	lag := make(map[int32]int64, len(s.followers))
	for p, f := range s.followers {
		lag[p] = max(0, f.high-f.done)
	}
	return lag
}
