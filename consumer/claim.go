package consumer

import (
	"github.com/seed-3eec0498/muster/kafka"
)

// Claim gives what a commit of these partitions' offsets has to carry so that the broker can fence it: the member and its generation.
// The error is [muster.ErrFenced] when one of them is not held, or not any more; revoked partitions count as held until [Change.Done].
//
// The generation is read under the lock of the ownership. It may be newer than the one a partition was assigned in, and that is right:
// the group has given a held partition to nobody else in any generation this member has joined; see [membership]. A generation that has
// become old by the time the broker sees it is refused there; claim again.
func (c *Consumer) Claim(partitions []int32) (kafka.Claim, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, partition := range partitions {
		if c.parts[partition] == nil {
			return kafka.Claim{}, notHeld(c.topic, partition)
		}
	}
	if c.client == nil {
		return kafka.Claim{}, errNoMember
	}
	member, generation := c.client.GroupMetadata()
	if member == "" || generation < 0 {
		return kafka.Claim{}, errNoMember
	}
	return kafka.Claim{Group: c.members, Member: member, Instance: c.config.Instance, Generation: generation}, nil
}
