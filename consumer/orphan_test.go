package consumer_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// forgetful balances a group and leaves partition 0 to nobody as long as forgets is set. It stands for a static member that gave up a
// partition and died before it joined again: its next life gets its old assignment, without that partition, and without a rebalance.
type forgetful struct {
	kgo.GroupBalancer
	forgets *atomic.Bool
}

func (f forgetful) MemberBalancer(members []kmsg.JoinGroupResponseMember) (kgo.GroupMemberBalancer, map[string]struct{}, error) {
	b, err := kgo.NewConsumerBalancer(f, members)
	return b, b.MemberTopics(), err
}

func (f forgetful) Balance(b *kgo.ConsumerBalancer, topics map[string]int32) kgo.IntoSyncAssignment {
	plan := b.NewPlan()
	for topic, partitions := range topics {
		for p := range partitions {
			if p > 0 || !f.forgets.Load() {
				plan.AddPartition(&b.Members()[int(p)%len(b.Members())], topic, p)
			}
		}
	}
	return plan
}

// stable waits until the group has so many members and is at rest.
func (c *cluster) stable(members int) {
	c.t.Helper()
	eventually(c.t, "the group is stable", func() bool {
		groups, err := c.adm.DescribeGroups(within(c.t), c.group.Name())
		if err != nil {
			c.t.Fatal(err)
		}
		group := groups[c.group.Name()]
		return group.State == "Stable" && len(group.Members) == members
	})
}

func TestAPartitionNobodyHasIsAdopted(t *testing.T) {
	c := start(t, 4)
	var forgets atomic.Bool
	forgets.Store(true)
	leader, err := c.kafka.Client(
		kgo.ConsumerGroup(c.group.Name()), kgo.InstanceID("leader"), kgo.ConsumeTopics(c.commands()), kgo.DisableAutoCommit(), kgo.HeartbeatInterval(100*time.Millisecond),
		kgo.Balancers(forgetful{kgo.CooperativeStickyBalancer(), &forgets}),
	)
	if err != nil {
		t.Fatal(err)
	}
	defer leader.Close()
	c.stable(1)
	config := c.config("a")
	config.SessionTimeout = 2 * time.Second // the members look twice per session
	m := run(t, config)
	m.change()
	c.stable(2)
	forgets.Store(false) // nobody tells the group: the member has to notice
	eventually(t, "all partitions have an owner", func() bool {
		group, err := c.adm.DescribeGroups(within(t), c.group.Name())
		if err != nil {
			t.Fatal(err)
		}
		return len(group.AssignedPartitions()[c.commands()]) == 4
	})
}
