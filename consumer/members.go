package consumer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// Members gives the names of the instances that are members of the consumer group, sorted. A member that died counts until its session has
// timed out.
func (c *Consumer) Members(ctx context.Context) ([]string, error) {
	group, err := c.describe(ctx)
	if err != nil {
		return nil, c.config.Kafka.Map(fmt.Sprintf("members of consumer group %q", c.members), err, c.groupRight()...)
	}
	var names []string
	for i := range group.Members {
		if name := group.Members[i].InstanceID; name != nil {
			names = append(names, *name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Holds gives the partitions that the consumer group has assigned to this member, as its coordinator says: a member that was put out of the group, or
// whose answer was lost on the way, goes on believing in what it had until it learns of it. It awaits the end of a rebalance.
func (c *Consumer) Holds(ctx context.Context) (map[int32]bool, error) {
	for {
		group, err := c.describe(ctx)
		if err != nil {
			return nil, c.config.Kafka.Map(fmt.Sprintf("assignment of consumer group %q", c.members), err, c.groupRight()...)
		}
		if group.State != "PreparingRebalance" && group.State != "CompletingRebalance" {
			return c.heldIn(&group), nil
		}
		select {
		case <-ctx.Done():
			return nil, muster.Errorf(muster.Unavailable, "consumer group %q is being rebalanced: %v", c.members, context.Cause(ctx))
		case <-time.After(rebalancePoll):
		}
	}
}

// rebalancePoll is how often a group that is being rebalanced is looked at.
const rebalancePoll = 50 * time.Millisecond

func (c *Consumer) heldIn(group *kadm.DescribedGroup) map[int32]bool {
	c.mu.Lock()
	client := c.client
	c.mu.Unlock()
	if client == nil { // no member now
		return nil
	}
	self, _ := client.GroupMetadata()
	held := map[int32]bool{}
	for i := range group.Members {
		m := &group.Members[i]
		assigned, is := m.Assigned.AsConsumer()
		if m.MemberID != self || !is {
			continue
		}
		for _, t := range assigned.Topics {
			if t.Topic == c.topic {
				for _, p := range t.Partitions {
					held[p] = true
				}
			}
		}
	}
	return held
}

func (c *Consumer) describe(ctx context.Context) (kadm.DescribedGroup, error) {
	groups, err := c.adm.DescribeGroups(ctx, c.members)
	if err != nil {
		return kadm.DescribedGroup{}, err
	}
	return groups[c.members], groups[c.members].Err
}

// adopt looks for partitions that no member was assigned, though nobody is rebalancing. They are left behind when a static member dies
// after it has given them up and before it has joined again: its next life gets its old assignment, without them, and without a rebalance.
// A partition found so twice in a row is reason enough to force one. It gives what was found this time.
func (c *Consumer) adopt(ctx context.Context, missed map[int32]bool) (map[int32]bool, error) {
	group, err := c.describe(ctx)
	if err != nil || group.State != "Stable" {
		return nil, err
	}
	orphans, again := unassigned(group, c.topic, c.config.Group.Partitions(), missed)
	if !again {
		return orphans, nil
	}
	c.mu.Lock()
	client := c.client
	c.mu.Unlock()
	if client != nil {
		c.log.WarnContext(ctx, "no member was assigned these partitions; forcing a rebalance", "group", c.members,
			"partitions", slices.Sorted(maps.Keys(orphans)))
		client.ForceRebalance()
	}
	return nil, nil
}

// unassigned gives the partitions that no member was assigned, and whether one of them was missed before.
func unassigned(group kadm.DescribedGroup, topic string, partitions int32, missed map[int32]bool) (orphans map[int32]bool, again bool) {
	assigned := group.AssignedPartitions()[topic]
	orphans = map[int32]bool{}
	for partition := range partitions {
		if _, taken := assigned[partition]; !taken {
			orphans[partition] = true
			again = again || missed[partition]
		}
	}
	return orphans, again
}

// notMember tells that somebody who is to leave has left already.
func notMember(err error) bool {
	return errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, kerr.GroupIDNotFound)
}

// groupRight is what a member of the consumer group, or who looks at it, needs.
func (c *Consumer) groupRight() []kafka.Right {
	return kafka.On(kafka.GroupResource, c.members, "Read")
}
