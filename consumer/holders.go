package consumer

import (
	"context"
	"errors"
	"maps"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

func (s *Sharing) describe(ctx context.Context) (kadm.DescribedGroup, error) {
	name := s.config.ConsumerGroup
	groups, err := s.adm.DescribeGroups(ctx, name)
	if err != nil {
		return kadm.DescribedGroup{}, err
	}
	return groups[name], groups[name].Err
}

// Holders tells who has each partition now, also for who is no member. A partition that nobody has is missing. While the group rebalances
// it is what was seen last; before anything was seen, the error is Unavailable.
func (s *Sharing) Holders(ctx context.Context) (map[int32]Holder, error) {
	group, err := s.describe(ctx)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, s.config.Kafka.Map("members of consumer group "+s.config.ConsumerGroup, err,
			kafka.On(kafka.GroupResource, s.config.ConsumerGroup, "Describe")...)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch group.State {
	case "Stable":
		s.last, s.copies = holders(group, s.topic), standbysOf(&group, s.topic)
	case "Empty", "Dead", "":
		s.last, s.copies = map[int32]Holder{}, nil
	default:
		if s.last == nil {
			return nil, muster.Errorf(muster.Unavailable, "consumer group %s is being rebalanced; try again", s.config.ConsumerGroup)
		}
	}
	return maps.Clone(s.last), nil
}

// Copies tells who keeps a copy of each partition, as of the last call of [Sharing.Holders].
func (s *Sharing) Copies() map[int32][]Holder {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.copies)
}

// holders reads who has what from the members of a group.
func holders(group kadm.DescribedGroup, topic string) map[int32]Holder {
	all := map[int32]Holder{}
	for i := range group.Members {
		m := &group.Members[i]
		var h Holder
		if m.InstanceID != nil {
			h.Instance = *m.InstanceID
		}
		if meta, is := m.Join.AsConsumer(); is {
			if b, is := readBadge(meta.UserData); is {
				h.Address = b.Address
			}
		}
		assigned, is := m.Assigned.AsConsumer()
		if !is {
			continue
		}
		for _, t := range assigned.Topics {
			if t.Topic == topic {
				for _, p := range t.Partitions {
					all[p] = h
				}
			}
		}
	}
	return all
}

// Leave takes the instance out of the group, so that the others need not wait for its session to time out. Call it after Run. Without it a
// restart inside the session timeout takes up the same partitions without a rebalance.
func (s *Sharing) Leave(ctx context.Context) error {
	return leave(ctx, s.adm, s.config.Kafka, s.config.ConsumerGroup, s.config.Instance)
}

// leave takes an instance out of a consumer group. That it is no member is as well.
func leave(ctx context.Context, adm *kadm.Client, config kafka.Config, group, instance string) error {
	for {
		left, err := adm.LeaveGroup(ctx, kadm.LeaveGroup(group).InstanceIDs(instance).Reason("final stop"))
		if err == nil {
			err = left[instance].Err
		}
		switch {
		case err == nil || notMember(err):
			return nil
		case !kafka.Retriable(err) || pause(ctx, retryInterval) != nil:
			return config.Map("instance "+instance+" leaving consumer group "+group, err, kafka.On(kafka.GroupResource, group, "Read")...)
		}
	}
}
