package service

import (
	"context"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/viewhttp"
)

// Operator gives control over the projections of this service: what it orders reaches the instances that hold the shards. Letters are read where
// their shard is, over HTTP from other instances, which takes a Config.QueryAddress there. It is nil where the service has no projections. Its methods work while
// Run does.
func (s *Service) Operator() *projector.Operator { return s.operator }

// openOperator opens the table of orders, and what gives them.
func (s *Service) openOperator(ctx context.Context, parts []projector.Part) (err error) {
	if s.control, err = consumer.OpenTable(ctx, s.cfg.connection(), s.controlTopic(), s.log); err != nil {
		return err
	}
	if err := (control{s.control}).begin(ctx, s.clock.Now()); err != nil {
		return err
	}
	definitions := make([]*projector.Definition, 0, len(parts))
	for _, p := range parts {
		definitions = append(definitions, p.Definition())
	}
	s.operator, err = projector.NewOperator(projector.OperatorConfig{
		Control: control{s.control}, Definitions: definitions, Prefix: s.cfg.Prefix, By: s.name, Letters: s.letters, Look: s.look, Logger: s.log, Now: s.clock.Now,
	})
	return err
}

// letters reads letters where their shards are.
func (s *Service) letters(ctx context.Context, instance string, q projector.LetterQuery) ([]projector.Letter, error) {
	if instance == s.name {
		return s.lettersHere(ctx, q)
	}
	for _, shard := range q.Shards {
		p, err := s.named(q.Projection)
		if err != nil {
			return nil, err
		}
		at, known := s.holder(ctx, p, shard)
		if !known || at.Name != instance || at.Address == "" {
			continue
		}
		client, err := viewhttp.NewClient(at.Address, s.cfg.QueryClient)
		if err != nil {
			return nil, err
		}
		return client.Letters(ctx, q)
	}
	return nil, muster.Errorf(muster.Unavailable, "the letters of projection %s in the shards %v are on instance %s, which has no QueryAddress; set it, or ask that one",
		q.Projection, q.Shards, instance)
}

// lettersHere reads letters of shards that this instance holds.
func (s *Service) lettersHere(ctx context.Context, q projector.LetterQuery) ([]projector.Letter, error) {
	for _, p := range s.projections {
		if p.String() == q.Projection {
			r, err := p.runner()
			if err != nil {
				return nil, err
			}
			return r.Letters(ctx, q)
		}
	}
	return nil, muster.Errorf(muster.NotFound, "service %s runs no projection %s", s.cfg.Name, q.Projection)
}
