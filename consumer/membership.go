package consumer

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
)

// membership is the cooperative-sticky balancer with one addition: it sees every JoinGroup before it is sent, and so the one way in which a
// member gets a new generation for partitions it no longer has a right to.
//
// A member that joins after the group went on without it is told UNKNOWN_MEMBER_ID. kgo then joins again under a new member id, in one
// step and without a word: neither revoked nor lost is called. Meanwhile another member may have owned our partitions and written to their
// journal. Were they assigned to us again, kgo would take them as never gone; and until the assignment arrives, kgo's GroupMetadata
// pairs the new generation, which the broker accepts, with what we still take for ours. So before a join is sent,
//
//	every held partition is claimed by it, under the member id we held it with
//
// or all are dropped and the session starts over. What follows is that [Consumer.Claim] needs no generation of its own: the member id and
// generation that kgo has are those of a group that has given our partitions to nobody else. A revoked partition is held until the callback
// returns, which is before the next join.
type membership struct {
	kgo.GroupBalancer
	session *session
}

// JoinGroupMetadata implements kgo.GroupBalancer.
func (m membership) JoinGroupMetadata(interests []string, owned map[string][]int32, generation int32) []byte {
	if !m.session.continuous(owned[m.session.topic]) {
		owned = nil
	}
	return m.session.badge.pin(m.GroupBalancer.JoinGroupMetadata(interests, owned, generation))
}

// continuous tells whether the join about to be sent keeps what is held; if not, nothing is held afterwards.
func (s *session) continuous(owned []int32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client == nil || len(s.parts) == 0 {
		return true
	}
	member, _ := s.client.GroupMetadata()
	unclaimed := func(p *part) bool { return !slices.Contains(owned, p.partition) }
	held := s.heldLocked()
	if member != "" && !slices.ContainsFunc(held, unclaimed) {
		return true
	}
	s.dropLocked(held)
	s.broken = append(s.broken, held...)
	s.fail(errMembershipBroken)
	return false
}
