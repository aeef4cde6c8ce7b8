package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync/atomic"

	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/internal/seam"
	"github.com/seed-3eec0498/muster/projector"
)

// projection is one projection on its way through this service.
type projection struct {
	*projector.Definition
	part    projector.Part
	series  *projector.Versions // all versions of its name
	feeds   *consumer.Feeds
	lent    atomic.Bool       // a runner reads through feeds
	sharing *consumer.Sharing // nil where everything is held here
	target  projector.Target
	owned   bool // the target is closed with the projection
	log     *slog.Logger
}

// checkProjections says what is wrong with the projections among the parts.
func (c Config) checkProjections(parts []projector.Part) error {
	var faults []error
	names := map[string]bool{}
	for _, p := range parts {
		d := p.Definition()
		faults = append(faults, d.Validate(c.Prefix))
		if names[d.String()] {
			faults = append(faults, fmt.Errorf("service %s: two projections are %s; rename one, or give it another version", c.Name, d))
		}
		names[d.String()] = true
	}
	if len(viewsOf(parts)) > 0 && c.DataDir == "" {
		faults = append(faults, fmt.Errorf("service %s: DataDir is empty; views are kept there", c.Name))
	}
	return errors.Join(faults...)
}

// viewsOf gives the views among projections: those that bring no target of their own.
func viewsOf(parts []projector.Part) []projector.AnyView {
	var views []projector.AnyView
	for _, p := range parts {
		if v, is := p.(projector.AnyView); is {
			views = append(views, v)
		}
	}
	return views
}

// openProjections opens what all projections share, and each of them.
func (s *Service) openProjections(ctx context.Context, parts []projector.Part) (err error) {
	if len(parts) == 0 {
		return nil
	}
	if err := s.openOperator(ctx, parts); err != nil {
		return err
	}
	if views := viewsOf(parts); len(views) > 0 {
		store := s.cfg.ViewStore.config()
		store.Views, store.Codec, store.Dir, store.FS, store.Logger, store.Now = views, s.cfg.codec(), filepath.Join(s.cfg.DataDir, "views"), seam.Of(ctx).FS, s.log, s.clock.Now
		store.Observe = projector.StoreObserve{Committed: s.metrics.projections.stored, Rebuilt: s.rebuilt}
		if s.views, err = projector.OpenStore(store); err != nil {
			return fmt.Errorf("service %s: view store: %w", s.cfg.Name, err)
		}
	}
	s.openQueries()
	for _, part := range parts {
		p, err := s.openProjection(ctx, part)
		if p != nil {
			s.projections = append(s.projections, p)
		}
		if err != nil {
			return fmt.Errorf("projection %s: %w", part.Definition(), err)
		}
	}
	return s.openSeries()
}

// openProjection opens one; what it gives beside an error is to be closed all the same.
func (s *Service) openProjection(ctx context.Context, part projector.Part) (*projection, error) {
	d := part.Definition()
	p := &projection{Definition: d, part: part, log: s.log.With("projection", d.String())}
	var err error
	p.feeds, err = consumer.OpenFeeds(ctx, consumer.FeedsConfig{Kafka: s.cfg.connection(), Groups: d.Groups(), Foreign: s.foreign, Logger: p.log})
	if err != nil {
		return nil, err
	}
	if err := p.feeds.Check(ctx); err != nil {
		return p, err
	}
	if p.target, p.owned, err = s.target(ctx, part, p.log); err != nil {
		return p, err
	}
	if d.Placement() == projector.Sharded {
		p.sharing, err = consumer.OpenSharing(consumer.SharingConfig{
			Kafka: s.cfg.connection(), Group: d.Groups()[0], ConsumerGroup: s.consumerGroup(d.String()), Service: s.cfg.Name, Instance: s.name,
			Address: s.cfg.QueryAddress, SessionTimeout: s.cfg.SessionTimeout, Logger: p.log,
			Standbys: d.Standbys(), Copies: s.copiesOf(part),
		})
	}
	return p, err
}

// target gives the place where the results of a part go, and whether it is the part's own.
func (s *Service) target(ctx context.Context, part projector.Part, log *slog.Logger) (target projector.Target, owned bool, err error) {
	switch part := part.(type) {
	case projector.AnyView:
		return s.views, false, nil
	case projector.Targeted:
		target, err = part.Target(ctx, projector.Host{
			Service: s.cfg.Name, Instance: s.name, Prefix: s.cfg.Prefix, Codec: s.cfg.codec(), Logger: log,
		})
		return target, true, err
	case *projector.Effects, *projector.Publisher:
		out, err := openOutward(ctx, outwardConfig{
			Kafka: s.cfg.connection(), Service: s.cfg.Name, Create: !s.cfg.ExistingTopics, Logger: log, Ledger: s.ledgerOf(part.Definition()),
		}, part.Definition())
		if err != nil {
			return nil, false, err
		}
		return out, true, nil
	}
	return nil, false, fmt.Errorf("%T has no place for its results; use a view, effects or a publisher, or give it a method Target", part)
}

// ready tells whether the projection can be used here.
func (p *projection) ready() error {
	if p.sharing != nil {
		select {
		case <-p.sharing.Joined():
		default:
			return fmt.Errorf("projection %s: its consumer group is not joined yet", p.Definition)
		}
	}
	return p.series.Ready()
}

// close ends what openProjection opened.
func (p *projection) close() {
	if p.sharing != nil {
		p.sharing.Close()
	}
	p.feeds.Close()
	if closer, is := p.target.(io.Closer); is && p.owned {
		if err := closer.Close(); err != nil {
			p.log.Error("the target of a projection did not close cleanly", "error", err)
		}
	}
}
