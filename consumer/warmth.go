package consumer

import (
	"cmp"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// warm is the cooperative-sticky balancer with one addition: partitions that nobody owns go to members that have a copy of them, as far as
// every member gets as many as before. So what a member owns stays where it is, the balance is that of the sticky balancer, and only then
// the copies count (KIP-441 has it so, but gives up balance for a while).
type warm struct {
	*kgo.ConsumerBalancer
	topic string
}

// MemberBalancer implements kgo.GroupBalancer.
func (b badged) MemberBalancer(members []kmsg.JoinGroupResponseMember) (kgo.GroupMemberBalancer, map[string]struct{}, error) {
	inner, topics, err := b.GroupBalancer.MemberBalancer(members)
	if err != nil {
		return nil, nil, err
	}
	sticky, is := inner.(*kgo.ConsumerBalancer)
	if !is || b.topic == "" {
		return inner, topics, nil
	}
	outer, err := kgo.NewConsumerBalancer(warm{sticky, b.topic}, members)
	if err != nil {
		return nil, nil, err
	}
	return outer, topics, nil
}

// Balance implements kgo.ConsumerBalancerBalance.
func (w warm) Balance(b *kgo.ConsumerBalancer, topics map[string]int32) kgo.IntoSyncAssignment {
	made, err := w.BalanceOrError(topics)
	if err != nil {
		b.SetError(err)
		return nil
	}
	plan, is := made.(*kgo.BalancePlan)
	if !is {
		return made
	}
	owned := map[int32]bool{}
	copies := map[string]map[int32]int64{}
	b.EachMember(func(m *kmsg.JoinGroupResponseMember, meta *kmsg.ConsumerMemberMetadata) {
		for _, t := range meta.OwnedPartitions {
			for _, p := range t.Partitions {
				owned[p] = owned[p] || t.Topic == w.topic
			}
		}
		if badge, is := readBadge(meta.UserData); is {
			copies[m.MemberID] = badge.Copies
		}
	})
	all := plan.AsMemberIDMap()
	free := map[string][]int32{}
	for member, planned := range all {
		for _, p := range planned[w.topic] {
			if !owned[p] {
				free[member] = append(free[member], p)
			}
		}
	}
	for member, chosen := range preferWarm(free, copies) {
		kept := slices.DeleteFunc(all[member][w.topic], func(p int32) bool { return !owned[p] })
		all[member][w.topic] = slices.Sorted(slices.Values(append(kept, chosen...)))
	}
	return plan
}

// preferWarm deals the partitions out anew: each member gets as many as it had, as many of all as can be to members that have a copy, and the copy that
// reaches farthest before others.
func preferWarm(free map[string][]int32, copies map[string]map[int32]int64) map[string][]int32 {
	members := slices.Sorted(maps.Keys(free))
	room := map[string]int{}
	before := map[int32]string{}
	var partitions []int32
	for _, m := range members {
		room[m] = len(free[m])
		for _, p := range free[m] {
			before[p] = m
			partitions = append(partitions, p)
		}
	}
	slices.Sort(partitions)
	dealt := map[string][]int32{}
	// place finds a member with a copy, and has others move to theirs where that makes room: an augmenting path.
	var place func(p int32, seen map[string]bool) bool
	place = func(p int32, seen map[string]bool) bool {
		var having []string
		for _, m := range members {
			if _, is := copies[m][p]; is && !seen[m] {
				having = append(having, m)
			}
		}
		slices.SortStableFunc(having, func(a, b string) int { return cmp.Compare(copies[b][p], copies[a][p]) })
		for _, m := range having {
			if len(dealt[m]) < room[m] {
				dealt[m] = append(dealt[m], p)
				return true
			}
		}
		for _, m := range having {
			if seen[m] {
				continue
			}
			seen[m] = true
			for i, other := range dealt[m] {
				if place(other, seen) {
					dealt[m][i] = p
					return true
				}
			}
		}
		return false
	}
	var cold []int32
	for _, p := range partitions {
		if !place(p, map[string]bool{}) {
			cold = append(cold, p)
		}
	}
	for _, p := range cold { // as it was planned, if there is room
		to := before[p]
		if len(dealt[to]) >= room[to] {
			to = members[slices.IndexFunc(members, func(m string) bool { return len(dealt[m]) < room[m] })]
		}
		dealt[to] = append(dealt[to], p)
	}
	return dealt
}
