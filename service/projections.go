package service

import (
	"context"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// Projections says what the shards of projections that this instance holds are doing, in the order of the parts.
func (s *Service) Projections() []projector.Status {
	var all []projector.Status
	for _, versions := range s.series {
		all = append(all, versions.Status()...)
	}
	return all
}

// Views reads the views of this service: what this instance holds from its store, the rest from the instances that hold it, see
// [viewhttp.Router]. It is nil where there are none.
func (s *Service) Views() projector.Reader {
	if s.views == nil {
		return nil
	}
	return s.queries.router
}

// LocalViews reads what this instance holds of the views, and asks no other: also shards that have not caught up. It is nil where there are none.
func (s *Service) LocalViews() projector.Reader {
	if s.views == nil {
		return nil
	}
	return s.views
}

// Placement tells which instance holds each shard of a projection now, with the address at which it answers queries: of one of the parts, by
// name and version, 0 for the one that serves. A replicated one is held by every instance that runs it.
func (s *Service) Placement(ctx context.Context, name string, version int) (map[int32]projector.Instance, error) {
	p, err := s.projection(name, version)
	if err != nil {
		return nil, err
	}
	if p.sharing == nil {
		return map[int32]projector.Instance{projector.Whole: {Name: s.name, Address: s.cfg.QueryAddress}}, nil
	}
	return shares{p.sharing, true}.Placement(ctx)
}

// projection finds one of the parts; version 0 is the one that serves.
func (s *Service) projection(name string, version int) (*projection, error) {
	var found *projection
	for _, p := range s.projections {
		if p.Name() != name {
			continue
		}
		serving, _ := p.series.Serving()
		if version == p.Version() || version == 0 && serving == p.Version() {
			return p, nil
		}
		if version == 0 && serving == 0 && (found == nil || found.Version() > p.Version()) {
			found = p // it is not known yet; if nothing was ever said, it will be the lowest
		}
	}
	if found == nil {
		return nil, muster.Errorf(muster.NotFound, "service %s runs no projection %q of version %d (0: any); give it to Open as a part", s.cfg.Name, name, version)
	}
	return found, nil
}

// AwaitView implements [muster.ViewHost]: it returns when a projection of this service has applied the journal up to pos. While the shard is
// moving it waits, and where another instance holds it that one is asked. Errors are those of [projector.Runner.Await]; where the instance that
// holds the shard has no QueryAddress, the error is that of a [projector.NotHeldError].
func (s *Service) AwaitView(ctx context.Context, name string, version int, pos muster.Position) error {
	p, err := s.projection(name, version)
	if err != nil {
		return err
	}
	a := awaiting{
		here:    func(ctx context.Context) error { return p.await(ctx, pos) },
		holder:  func(ctx context.Context, shard int32) (projector.Instance, bool) { return s.holder(ctx, p, shard) },
		there:   func(ctx context.Context) error { return s.queries.router.AwaitView(ctx, name, version, pos) },
		changes: s.board.changes, closed: s.closed, self: s.name,
	}
	return a.run(ctx)
}

// await waits for what runs here; a version that does not is held by others, as far as it is known here.
func (p *projection) await(ctx context.Context, pos muster.Position) error {
	r, err := p.runner()
	if err != nil {
		return err
	}
	return r.Await(ctx, pos)
}

// holder tells who has a shard, as far as that can be seen now.
func (s *Service) holder(ctx context.Context, p *projection, shard int32) (projector.Instance, bool) {
	all, err := s.Placement(ctx, p.Name(), p.Version())
	if err != nil {
		return projector.Instance{}, false
	}
	holder, known := all[shard]
	return holder, known
}

// shutProjections closes what openProjections opened.
func (s *Service) shutProjections() {
	if s.queries != nil {
		s.queries.handler.Close()
	}
	for _, p := range s.projections {
		p.close()
	}
	if s.views != nil {
		if err := s.views.Close(); err != nil {
			s.log.Error("the view store did not close cleanly; it is checked at the next start", "error", err)
		}
	}
	if s.control != nil {
		s.control.Close()
	}
}

func (s *Service) controlTopic() string { return muster.ControlTopic(s.cfg.Prefix, s.cfg.Name) }

// observe gives what the runners tell.
func (s *Service) observe() projector.Observe {
	o := s.metrics.projections.observe()
	o.Changed = func(st projector.Status) {
		s.queries.local.changed(&st)
		s.board.touch() // whoever waits for readiness looks again
	}
	o.Released = s.queries.local.released
	o.Anew = func(a projector.Anew) {
		s.rebuilt(projector.StoreRebuilt{Projection: a.Shard.Projection, Generation: a.Shard.Generation, Shard: a.Shard.Number, Reason: a.Reason})
	}
	return o
}

// rebuilt hears that rows are given up: until they have been made again they are not read as if nothing were missing.
func (s *Service) rebuilt(r projector.StoreRebuilt) {
	s.metrics.projections.rebuilt(r)
	if s.queries != nil && r.Projection != "" && r.Reason != projector.RebuiltIndexes {
		s.queries.local.forget(liveShard{r.Projection, r.Generation, r.Shard})
	}
}

// foreign is called for a journal record that the toolkit did not write.
func (s *Service) foreign(group string, _ muster.Position) {
	s.metrics.foreign.WithLabelValues(group).Inc()
}
