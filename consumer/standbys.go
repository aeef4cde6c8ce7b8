package consumer

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// Copies of partitions are placed without a word between the members: each of them reads the same members and the same assignment from the group,
// and comes to the same result. Where two of them see the group at different moments there is a copy too many or too few, until both have
// looked again: that costs work, and nothing else.

// standbyInterval is how old a look at the group is at most, besides the one behind each assignment.
const standbyInterval = 2 * time.Second

// placeStandbys gives, for each partition that somebody holds, the instances that keep a copy: n of the candidates, fewer where there are not so many, never
// the holder. Each instance ranks differently for each partition, so few copies move when a member comes or goes. The copies of what one instance
// holds are spread evenly: when it dies, the others get an equal share of what they have copies of.
func placeStandbys(holders map[int32]string, candidates []string, n int) map[int32][]string {
	held := map[string]int{} // partitions by holder
	for _, h := range holders {
		held[h]++
	}
	type pair struct{ of, at string }
	load := map[pair]int{}
	placed := map[int32][]string{}
	for _, p := range slices.Sorted(maps.Keys(holders)) {
		holder := holders[p]
		others := slices.DeleteFunc(slices.Clone(candidates), func(c string) bool { return c == holder })
		slices.SortFunc(others, func(a, b string) int { return cmp.Or(cmp.Compare(rankOf(b, p), rankOf(a, p)), cmp.Compare(a, b)) })
		want := min(n, len(others))
		if want == 0 {
			continue
		}
		share := (held[holder]*want + len(others) - 1) / len(others)
		var chosen []string
		for _, fair := range []bool{true, false} { // the second time without a look at the share, so that n copies are found
			for _, o := range others {
				if len(chosen) < want && !slices.Contains(chosen, o) && (!fair || load[pair{holder, o}] < share) {
					chosen = append(chosen, o)
				}
			}
		}
		for _, o := range chosen {
			load[pair{holder, o}]++
		}
		placed[p] = chosen
	}
	return placed
}

// rankOf gives where an instance ranks for a partition: the same in every process and build, and unlike that of other instances and partitions. It is FNV-1a
// with the end of splitmix64, without which names that differ in the last character rank alike for all partitions.
func rankOf(instance string, partition int32) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(instance) {
		h = (h ^ uint64(instance[i])) * 1099511628211
	}
	h += uint64(uint32(partition)+1) * 0x9e3779b97f4a7c15
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// standbysOf reads from the members of a group who keeps copies of what. Those take part whose badge says how many copies there are to be; where
// they differ, as during an upgrade, the most counts.
func standbysOf(group *kadm.DescribedGroup, topic string) map[int32][]Holder {
	n := 0
	members := map[string]Holder{}
	var candidates []string
	for i := range group.Members {
		m := &group.Members[i]
		meta, is := m.Join.AsConsumer()
		if !is || m.InstanceID == nil {
			continue
		}
		if b, is := readBadge(meta.UserData); is && b.Standbys > 0 {
			n = max(n, b.Standbys)
			members[*m.InstanceID] = Holder{*m.InstanceID, b.Address}
			candidates = append(candidates, *m.InstanceID)
		}
	}
	if n == 0 {
		return nil
	}
	held := map[int32]string{}
	for p, h := range holders(*group, topic) {
		held[p] = h.Instance
	}
	all := map[int32][]Holder{}
	for p, names := range placeStandbys(held, candidates, n) {
		for _, name := range names {
			all[p] = append(all[p], members[name])
		}
	}
	return all
}

// Standbys calls assign with the partitions of which this member is to keep a copy, whenever they change, until ctx ends. It goes on as long as it is
// not known better: while the group rebalances, copies stay where they are.
func (s *Sharing) Standbys(ctx context.Context, assign func(ctx context.Context, partitions []int32)) {
	var last []int32
	for {
		s.mu.Lock()
		shuffled := s.shuffled
		s.mu.Unlock()
		again := standbyInterval
		group, err := s.describe(ctx)
		switch {
		case err != nil:
		case group.State != "Stable":
			again = retryInterval
		default:
			var mine []int32
			for p, all := range standbysOf(&group, s.topic) {
				if slices.ContainsFunc(all, func(h Holder) bool { return h.Instance == s.config.Instance }) {
					mine = append(mine, p)
				}
			}
			slices.Sort(mine)
			if !slices.Equal(mine, last) {
				s.log.InfoContext(ctx, "copies kept warm", "group", s.config.ConsumerGroup, "partitions", mine)
				assign(ctx, mine)
				last = mine
			}
		}
		timer := time.NewTimer(again)
		select {
		case <-timer.C:
		case <-shuffled:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// shuffle tells those who place copies that the assignment has changed.
func (s *Sharing) shuffle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.shuffled)
	s.shuffled = make(chan struct{})
}
