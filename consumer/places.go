package consumer

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The callbacks below are called by kgo one after another, while no poll is under way.

// assigned runs before the first fetch of partitions that are new here. It pins where each of them starts: where the group has left off, or
// else where the reading starts.
func (s *Subscriber) assigned(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	fresh := offsets[s.topic]
	from := make(map[int32]int64, len(fresh))
	for p, offset := range fresh {
		at := offset.EpochOffset().Offset
		if at < 0 {
			at = s.start.from[p]
			fresh[p] = kgo.NewOffset().At(at)
		}
		from[p] = at
	}
	s.release(ctx, slices.Collect(maps.Keys(from)), 0, false) // asked again for what it was told before
	if s.soft.Err() != nil {
		return nil, errSessionOver
	}
	s.begin(from)
	if len(from) > 0 {
		s.log.InfoContext(ctx, "partitions assigned", "topic", s.topic, "group", s.config.ConsumerGroup, "partitions", slices.Sorted(maps.Keys(from)))
	}
	return offsets, nil
}

// revoked runs while the group waits for this member: what is in hand is finished and what is done is committed, so the next member goes
// on behind it.
func (s *Subscriber) revoked(ctx context.Context, _ *kgo.Client, gone map[string][]int32) {
	s.release(ctx, gone[s.topic], s.config.revoke(), true)
}

// lost runs when the membership has ended: others may have the partitions already.
func (s *Subscriber) lost(ctx context.Context, _ *kgo.Client, _ map[string][]int32) {
	s.release(ctx, s.held(), 0, false)
}

func (s *Subscriber) held() []int32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.followers))
}

// release ends the following of partitions. The events in hand have for long to be handled; then their context ends.
func (s *Subscriber) release(ctx context.Context, partitions []int32, patience time.Duration, commit bool) {
	var leaving []*follower
	s.mu.Lock()
	for _, p := range partitions {
		if f := s.followers[p]; f != nil {
			leaving = append(leaving, f)
			f.leave()
		}
	}
	s.mu.Unlock()
	if len(leaving) == 0 {
		return
	}
	limit := time.AfterFunc(patience, func() {
		for _, f := range leaving {
			f.drop()
		}
	})
	for _, f := range leaving {
		select {
		case <-f.ended:
		case <-f.hand.Done():
		}
	}
	limit.Stop()
	grace := time.NewTimer(handGrace)
	defer grace.Stop()
	for _, f := range leaving {
		select {
		case <-f.ended:
		case <-grace.C:
			grace.Reset(0)
			s.log.ErrorContext(ctx, "a subscription's function ignores its context; its partition goes on without it", "topic", s.topic, "partition", f.partition)
		}
	}
	if commit {
		s.commit(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range leaving {
		delete(s.followers, f.partition)
		if f.full && s.client != nil { // a pause does not outlive it
			s.client.ResumeFetchPartitions(map[string][]int32{s.topic: {f.partition}})
		}
		f.buffer = buffer{}
	}
}

// upkeep commits what is done, tells the lag, and says when a subscriber is too slow, until soft ends.
func (s *Subscriber) upkeep() {
	for pause(s.soft, commitInterval) == nil {
		s.commit(s.soft)
		sum := int64(0)
		for _, n := range s.Lag() {
			sum += n
		}
		if s.config.Lag != nil {
			s.config.Lag(sum)
		}
		s.tellSlow()
	}
}

func (s *Subscriber) tellSlow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.followers {
		limit := s.config.slowAfter()
		stuck, full := !f.inHand.IsZero() && time.Since(f.inHand) > limit, f.full && time.Since(f.fullSince) > limit
		if (stuck || full) && !f.slowTold {
			f.slowTold = true
			s.log.WarnContext(s.soft, "a subscription is slow; nothing is lost", "topic", s.topic, "partition", f.partition,
				"lag", f.high-f.done, "one_event_in_hand", stuck, "fetching_waits", f.full)
		}
	}
}

// commit tells the group what is done, the starting places too: else a member that begins with the latest events would, after a crash
// before its first one, begin later still.
func (s *Subscriber) commit(ctx context.Context) {
	if s.config.ConsumerGroup == "" {
		return
	}
	s.committing.Lock()
	defer s.committing.Unlock()
	places := map[int32]kgo.EpochOffset{}
	moved := map[*follower]int64{}
	s.mu.Lock()
	client := s.client
	for p, f := range s.followers {
		if f.done != f.committed {
			places[p], moved[f] = kgo.EpochOffset{Epoch: -1, Offset: f.done}, f.done
		}
	}
	s.mu.Unlock()
	if len(places) == 0 || client == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), listTimeout)
	defer cancel()
	if err := commitOffsets(ctx, client, map[string]map[int32]kgo.EpochOffset{s.topic: places}); err != nil {
		s.log.WarnContext(ctx, "what is handled could not be committed; it is tried again, and comes again elsewhere if a partition moves meanwhile",
			"topic", s.topic, "group", s.config.ConsumerGroup, "error", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for f, done := range moved {
		f.committed = done
	}
}
