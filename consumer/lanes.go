package consumer

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster/internal/mutant"
)

// laneInterval is how often the leaders of the journal are read, beside RefreshLanes.
const laneInterval = 15 * time.Second

// lanes puts partitions into lanes by the broker that leads their journal partition. A leader keeps its lane as long as it leads anything;
// a new one gets the lane with the fewest leaders. Guarded by Consumer.mu.
type lanes struct {
	count   int
	leaders map[int32]int // broker -> lane
	byPart  map[int32]int // partition -> lane
}

func newLanes(count int) *lanes {
	return &lanes{count: count, leaders: map[int32]int{}, byPart: map[int32]int{}}
}

// of gives the lane of a partition; 0 where nothing is known of it.
func (l *lanes) of(partition int32) int { return l.byPart[partition] }

// update takes in who leads which partition. A partition without a leader keeps its lane.
func (l *lanes) update(leaderOf map[int32]int32) {
	leading := map[int32]bool{}
	for _, leader := range leaderOf {
		if leader >= 0 {
			leading[leader] = true
		}
	}
	maps.DeleteFunc(l.leaders, func(leader int32, _ int) bool { return !leading[leader] })
	for _, leader := range slices.Sorted(maps.Keys(leading)) {
		if _, known := l.leaders[leader]; !known {
			l.leaders[leader] = l.emptiest()
		}
	}
	for partition, leader := range leaderOf {
		if _, placed := l.byPart[partition]; leader >= 0 && !(placed && mutant.StaleLane) {
			l.byPart[partition] = l.leaders[leader]
		}
	}
}

func (l *lanes) emptiest() int {
	load := make([]int, l.count)
	for _, lane := range l.leaders {
		load[lane]++
	}
	return slices.Index(load, slices.Min(load))
}

// Lanes gives the number of lanes. Lanes 0 up to that number exist; with fewer brokers than lanes some never have work.
func (c *Consumer) Lanes() int { return c.config.lanes() }

// RefreshLanes has the leaders of the journal read now instead of at the next turn, for one who has met a moved leader. It does not wait.
func (c *Consumer) RefreshLanes() { signal(c.relane) }

// readLeaders puts the partitions into lanes. One in hand changes lane after its Work.
func (c *Consumer) readLeaders(ctx context.Context) error {
	request := kmsg.NewPtrMetadataRequest() // by hand: kadm may answer from a cache, which has the old leader
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = &c.journal
	request.Topics = append(request.Topics, topic)
	response, err := request.RequestWith(ctx, c.admin)
	if err != nil {
		return err
	}
	leaderOf := map[int32]int32{}
	for i := range response.Topics {
		if err := kerr.ErrorForCode(response.Topics[i].ErrorCode); err != nil {
			return fmt.Errorf("%s: %w", c.journal, err)
		}
		for _, p := range response.Topics[i].Partitions {
			leaderOf[p.Partition] = p.Leader
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lanes.update(leaderOf)
	for _, p := range c.parts {
		p.lane = c.lanes.of(p.partition)
		c.rouse(p.lane)
	}
	return nil
}

// upkeep does what is done at intervals, until ctx ends.
func (c *Consumer) upkeep(ctx context.Context) {
	leaders := time.NewTicker(laneInterval)
	defer leaders.Stop()
	halted := time.NewTicker(haltInterval)
	defer halted.Stop()
	orphans := time.NewTicker(c.config.session() / 2)
	defer orphans.Stop()
	pending := time.NewTicker(pendingInterval)
	defer pending.Stop()
	missed := map[int32]bool{}
	var waiting []int32
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-leaders.C:
			err = c.readLeaders(ctx)
		case <-c.relane:
			err = c.readLeaders(ctx)
		case <-halted.C:
			c.retryHalted()
		case <-pending.C:
			waiting = c.tellPending(ctx, waiting)
		case <-orphans.C:
			missed, err = c.adopt(ctx, missed)
			c.endForRival(ctx)
		}
		if err != nil && ctx.Err() == nil {
			c.log.WarnContext(ctx, "upkeep failed; trying again at the next turn", "group", c.members, "error", err)
		}
	}
}

// pendingInterval is how long offsets may stay unknown before it is said.
const pendingInterval = 500 * time.Millisecond

// tellPending tells of the partitions whose offsets are unknown now and were at the turn before, and gives those that are now.
func (c *Consumer) tellPending(ctx context.Context, before []int32) []int32 {
	c.mu.Lock()
	now := slices.Sorted(maps.Keys(c.hidden))
	c.mu.Unlock()
	lasting := slices.DeleteFunc(slices.Clone(now), func(p int32) bool { return !slices.Contains(before, p) })
	if len(lasting) > 0 && c.config.OnPending != nil {
		c.config.OnPending(ctx, lasting)
	}
	return now
}
