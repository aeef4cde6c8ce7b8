package consumer

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The callbacks below are called by kgo one after another: assigned has returned before revoked or lost begins, and the other way round.

// assigned runs after the stable offset fetch and before the first fetch of the new partitions. It pins the offset at which each of them
// starts, so that kgo has nothing left to decide: the committed one if it is in the log, else the start of the log, said aloud. A later
// SetOffsets works on partitions with a pinned offset only.
func (s *session) assigned(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	<-s.made // whoever is told of the partitions claims them by the client
	fresh := offsets[s.topic]
	if len(fresh) == 0 {
		return offsets, nil
	}
	if err := s.yield(ctx); err != nil {
		s.fail(err)
		return nil, errSessionOver
	}
	ranges, err := s.logRanges(ctx, fresh)
	if err != nil {
		return nil, err
	}
	ch := Change{consumer: s.Consumer, parts: map[int32]*part{}}
	for partition, offset := range fresh {
		bounds, at := ranges[partition], offset.EpochOffset().Offset
		progress, start := s.standing(partition, at, bounds)
		if start != at {
			offset = kgo.NewOffset().At(start)
		}
		fresh[partition] = offset
		ch.parts[partition] = &part{
			partition: partition, next: start, high: bounds.end, progress: progress, resume: progress.Next, expected: slices.Clone(progress.Waiting),
		}
	}
	ch.Assigned = slices.Sorted(maps.Keys(ch.parts))

	s.mu.Lock()
	if s.over || s.ctx.Err() != nil {
		s.mu.Unlock()
		return nil, errSessionOver
	}
	for partition, p := range ch.parts {
		delete(s.hidden, partition)
		p.lane = s.lanes.of(partition)
		s.parts[partition] = p
	}
	s.mu.Unlock()
	s.log.InfoContext(ctx, "partitions assigned", "group", s.members, "partitions", ch.Assigned)
	s.changes.add(ch)
	return offsets, nil
}

// logRange is what a partition holds: offsets start <= o < end.
type logRange struct{ start, end int64 }

// logRanges asks until it knows, or until the rebalance goes on without it. kgo asks for the same partitions again then.
func (s *session) logRanges(ctx context.Context, want map[int32]kgo.Offset) (map[int32]logRange, error) {
	for {
		found, err := s.listRanges(ctx, want)
		if err == nil {
			return found, nil
		}
		s.log.WarnContext(ctx, "cannot list the offsets of assigned partitions; trying again", "group", s.members, "topic", s.topic, "error", err)
		if err := pause(ctx, retryInterval); err != nil {
			return nil, err
		}
	}
}

func (s *session) listRanges(ctx context.Context, want map[int32]kgo.Offset) (map[int32]logRange, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	starts, err := s.adm.ListStartOffsets(ctx, s.topic)
	if err != nil {
		return nil, err
	}
	ends, err := s.adm.ListEndOffsets(ctx, s.topic)
	if err != nil {
		return nil, err
	}
	found := make(map[int32]logRange, len(want))
	for partition := range want {
		start, err := listed(starts, s.topic, partition)
		if err != nil {
			return nil, err
		}
		end, err := listed(ends, s.topic, partition)
		if err != nil {
			return nil, err
		}
		found[partition] = logRange{start: start, end: end}
	}
	return found, nil
}

func listed(offsets kadm.ListedOffsets, topic string, partition int32) (int64, error) {
	o, ok := offsets.Lookup(topic, partition)
	if !ok {
		return 0, fmt.Errorf("%s[%d]: %w", topic, partition, kerr.UnknownTopicOrPartition)
	}
	if o.Err != nil {
		return 0, fmt.Errorf("%s[%d]: %w", topic, partition, o.Err)
	}
	return o.Offset, nil
}

// revoked runs while the group waits for this member. The partitions are still ours until it returns: the group gives them to nobody before
// this member has joined again without them.
func (s *session) revoked(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
	s.mu.Lock()
	var leaving []*part
	for _, partition := range gone[s.topic] {
		delete(s.hidden, partition)
		if p := s.parts[partition]; p != nil {
			p.leaving = true
			leaving = append(leaving, p)
		}
	}
	s.mu.Unlock()
	if len(leaving) == 0 {
		return
	}
	s.announce(Change{Revoked: partitionsOf(leaving)})
	s.mu.Lock()
	s.dropLocked(leaving)
	s.mu.Unlock()
}

// lost runs when the membership has ended. Nothing can be committed any more, so the partitions go first and the engine hears of it then.
func (s *session) lost(context.Context, *kgo.Client, map[string][]int32) {
	s.mu.Lock()
	clear(s.hidden)
	held := s.heldLocked()
	s.dropLocked(held)
	s.mu.Unlock()
	if len(held) > 0 {
		s.announce(Change{Lost: partitionsOf(held)})
	}
}

// announce hands over a change and waits for its Done, for RevokeTimeout or for the end of Run.
func (s *session) announce(ch Change) {
	s.log.InfoContext(s.run, "partitions taken away", "group", s.members, "revoked", ch.Revoked, "lost", ch.Lost)
	ch.settled = &settled{done: make(chan struct{})}
	s.changes.add(ch)
	limit := time.NewTimer(s.config.revoke())
	defer limit.Stop()
	select {
	case <-ch.settled.done:
	case <-s.run.Done():
	case <-limit.C:
		s.log.ErrorContext(s.run, "a rebalance went on without Done; commits of these partitions are fenced from now on",
			"group", s.members, "revoked", ch.Revoked, "lost", ch.Lost, "waited", s.config.revoke())
	}
}

// heldLocked gives everything that is held, leaving parts too.
func (c *Consumer) heldLocked() []*part { return slices.Collect(maps.Values(c.parts)) }

func partitionsOf(parts []*part) []int32 {
	all := make([]int32, 0, len(parts))
	for _, p := range parts {
		all = append(all, p.partition)
	}
	slices.Sort(all)
	return all
}
