package service

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/projector"
)

// holdBack gives how far the projections have read that a trim waits for, by partition: those of this service, and of the services that are named.
func (s *Service) holdBack(ctx context.Context, g *muster.Group, services []string) (map[int32]projector.ReadUpTo, error) {
	back := map[int32]projector.ReadUpTo{}
	topic := g.JournalTopic(s.cfg.Prefix)
	add := func(control projector.Control, named []string) (some bool, err error) {
		if err := control.Sync(ctx); err != nil {
			return false, err
		}
		entries, _ := control.Entries()
		found, err := projector.HeldBack(entries, topic, g.Partitions(), named, time.Now()) // the clock that entries are stamped by
		for p, at := range found {
			if known, is := back[p]; !is || at.Offset < known.Offset {
				back[p] = at
			}
		}
		return len(found) > 0, err
	}
	if s.control != nil {
		var named []string
		for _, p := range s.projections {
			for _, read := range p.Groups() {
				if read.JournalTopic(s.cfg.Prefix) == topic {
					named = append(named, p.String())
				}
			}
		}
		if _, err := add(control{s.control}, named); err != nil {
			return nil, fmt.Errorf("trim %s: %w", g.Name(), err)
		}
	}
	for _, name := range services {
		if name == s.cfg.Name {
			continue
		}
		some, err := s.holdBackOf(ctx, name, add)
		if err == nil && !some {
			err = muster.Errorf(muster.FailedPrecondition, "none of its projections says that it reads %s; start it, or do not name it", topic)
		}
		if err != nil {
			return nil, fmt.Errorf("trim %s: HoldFor service %s: %w", g.Name(), name, err)
		}
	}
	return back, nil
}

// holdBackOf reads the control table of another service.
func (s *Service) holdBackOf(ctx context.Context, name string, add func(projector.Control, []string) (bool, error)) (bool, error) {
	if !serviceName.MatchString(name) {
		return false, muster.Errorf(muster.InvalidArgument, "%q is no name of a service", name)
	}
	table, err := consumer.OpenTable(ctx, s.cfg.connection(), muster.ControlTopic(s.cfg.Prefix, name), s.log)
	if err != nil {
		return false, err
	}
	defer table.Close()
	return add(control{table}, nil)
}
