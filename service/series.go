package service

import (
	"context"
	"sync"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/projector"
)

// openSeries puts the versions of each projection together.
func (s *Service) openSeries() error {
	editions := map[string][]projector.Edition{}
	var names []string
	for _, p := range s.projections {
		e := projector.Edition{Definition: p.Definition, Target: p.target}
		if p.sharing != nil {
			e.Membership = shares{p.sharing, s.cfg.StayMember}
		}
		if editions[p.Name()] == nil {
			names = append(names, p.Name())
		}
		editions[p.Name()] = append(editions[p.Name()], e)
	}
	for _, name := range names {
		c := projector.VersionsConfig{
			Editions: editions[name], Journal: s.openJournal, CopyJournal: s.openCopyJournal, Serve: s.serve, WarmTime: orDefault(s.cfg.WarmTime, time.Hour),
			Runner: projector.Config{
				Control: control{s.control}, Codec: s.cfg.codec(), Prefix: s.cfg.Prefix, Instance: s.name, Logger: s.log, Observe: s.observe(), Now: s.clock.Now,
				Heard: s.heard,
			},
		}
		if s.views != nil {
			c.Kept = s.views.Kept
		}
		versions, err := projector.OpenVersions(c)
		if err != nil {
			return err
		}
		s.series = append(s.series, versions)
		for _, p := range s.projections {
			if p.Name() == name {
				p.series = versions
			}
		}
	}
	return nil
}

// openJournal gives a runner its reader. What was opened with the projection is lent to the first one; a second, of a rebuild, gets one of its own.
func (s *Service) openJournal(ctx context.Context, d *projector.Definition) (projector.Journal, func(), error) {
	for _, p := range s.projections {
		if p.Definition == d && p.lent.CompareAndSwap(false, true) {
			return journals{p.feeds}, func() { p.lent.Store(false) }, nil
		}
	}
	feeds, err := consumer.OpenFeeds(ctx, consumer.FeedsConfig{
		Kafka: s.cfg.connection(), Groups: d.Groups(), Foreign: s.foreign, Logger: s.log.With("projection", d.String()),
	})
	if err != nil {
		return nil, nil, err
	}
	return journals{feeds}, feeds.Close, nil
}

// serve hears which version and generation of a projection answers.
func (s *Service) serve(name string, version, generation int) {
	if s.views != nil {
		s.views.Serve(name, version, generation)
	}
	s.board.touch()
}

// runSeries runs one until ctx ends, and stirs those who wait for readiness when its consumer groups are joined.
func (s *Service) runSeries(ctx context.Context, versions *projector.Versions) error {
	joining, stop := context.WithCancel(ctx)
	var joined sync.WaitGroup
	for _, p := range s.projections {
		if p.series != versions || p.sharing == nil {
			continue
		}
		joined.Go(func() {
			select {
			case <-p.sharing.Joined():
				s.board.touch()
			case <-joining.Done():
			}
		})
	}
	defer joined.Wait()
	defer stop()
	if err := versions.Run(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// runner gives what runs a projection here: the generation that serves, or the older one.
func (p *projection) runner() (*projector.Runner, error) {
	r := p.series.Runner(p.Version())
	if r == nil {
		if err := p.series.Retired(p.Version()); err != nil {
			return nil, err
		}
		return nil, &muster.Error{
			Code: muster.Unavailable, Reason: "not-running", Retry: true,
			Message: "projection " + p.String() + " does not run on this instance now: it has not begun, or its time was over after a switch to another version",
		}
	}
	return r, nil
}

// statuses gives what the runner says of the shards held here.
func (p *projection) statuses() []projector.Status {
	r, err := p.runner()
	if err != nil {
		return nil
	}
	return r.Status()
}

// look asks a journal through the projection that reads it.
func (s *Service) look(ctx context.Context, source projector.Source) (projector.Look, error) {
	for _, p := range s.projections {
		for _, g := range p.Groups() {
			if g.JournalTopic(s.cfg.Prefix) == source.Topic {
				return journals{p.feeds}.Look(ctx, source)
			}
		}
	}
	return projector.Look{}, muster.Errorf(muster.InvalidArgument, "%v is read by no projection of this service", source)
}
