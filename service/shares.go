package service

import (
	"context"
	"time"

	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/projector"
)

// shares implements [projector.Membership] with a consumer group.
type shares struct {
	sharing *consumer.Sharing
	stay    bool // the membership is kept at the end
}

// leaveTimeout bounds how long the end waits for the group to hear of it.
const leaveTimeout = 5 * time.Second

// Run implements [projector.Membership].
func (s shares) Run(ctx context.Context, gain, lose func(ctx context.Context, shards []int32)) error {
	err := s.sharing.Run(ctx, gain, lose)
	if err == nil && !s.stay {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
		defer cancel()
		err = s.sharing.Leave(last)
	}
	return err
}

// Standbys implements [projector.StandbyMembership].
func (s shares) Standbys(ctx context.Context, assign func(ctx context.Context, shards []int32)) {
	s.sharing.Standbys(ctx, assign)
}

// Placement implements [projector.Membership].
func (s shares) Placement(ctx context.Context) (map[int32]projector.Instance, error) {
	holders, err := s.sharing.Holders(ctx)
	if err != nil {
		return nil, err
	}
	all := make(map[int32]projector.Instance, len(holders))
	for partition, h := range holders {
		all[partition] = projector.Instance{Name: h.Instance, Address: h.Address}
	}
	return all, nil
}
