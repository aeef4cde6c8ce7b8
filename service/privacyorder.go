package service

import (
	"context"
	"errors"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/projector"
)

// order has the projections of this service that were there at the request carry an erasure out, once in the life of this process: also where that was
// acknowledged long ago, because the control table may have been lost since, and rows may come back that are older. Where the keys were destroyed in the life of
// this process all of its projections do: one that came behind the request may have read what could still be opened then.
func (p *Privacy) order(ctx context.Context, e *crypto.Erasure) error {
	if p.ordered[e.ID] || p.s.operator == nil {
		return nil
	}
	p.forget(e.Subject) // a shard that begins behind the order opens nothing of the subject's
	var faults []error
	asked := map[string]bool{}
	var names []string
	for _, d := range e.Owed {
		if d.Service == p.s.cfg.Name && d.Kind == crypto.DutyProjection {
			names = append(names, d.Name)
		}
	}
	if !p.before[e.ID] {
		for _, one := range p.s.projections {
			names = append(names, one.String())
		}
	}
	for _, name := range names {
		if asked[name] {
			continue
		}
		asked[name] = true
		err := p.s.operator.Erase(ctx, name, projector.SubjectErased{Erasure: e.ID, Subject: e.Subject})
		if muster.CodeOf(err) != muster.NotFound { // a version that this build does not have; see erasedIn
			faults = append(faults, err)
		}
	}
	err := errors.Join(faults...)
	p.ordered[e.ID] = err == nil
	return err
}

// heard implements [projector.Config].Heard: it returns when the key store of this process has heard of an erasure. A look-up may be answered by a copy of the keys
// that lags, so the key store is asked to its end, once for each erasure: of those that were on the ledger when the service opened Replay has done so.
func (s *Service) heard(ctx context.Context, e projector.SubjectErased) error {
	p := s.privacy
	if p == nil {
		return nil
	}
	if _, is := p.knows.Load(e.Erasure); is {
		return nil
	}
	one, there := p.ledger.Erasure(e.Erasure)
	if !there || one.State < crypto.ErasureKeysDestroyed { // who gave the order had read on
		if err := p.ledger.Sync(ctx); err != nil {
			return err
		}
		one, _ = p.ledger.Erasure(e.Erasure)
	}
	_, marked, err := p.config.Keys.Destroyed(ctx, e.Subject)
	switch {
	case errors.Is(err, crypto.ErrNoAccess): // nothing opens here
	case err != nil:
		return err
	case !marked && one.State >= crypto.ErasureKeysDestroyed && !one.Reinstated:
		return errNotHeard
	}
	p.knows.Store(e.Erasure, true)
	return nil
}

// erasedIn gives the duties of the projections of this service that are done. A projection that this build does not have owes what it owes, and keeps
// nobody else: another instance may have it, else it is missing until somebody acknowledges for it.
func (p *Privacy) erasedIn(e *crypto.Erasure, owed []crypto.Duty) (done []crypto.Duty, err error) {
	carried := map[string][]int32{}
	var faults []error
	for _, d := range owed {
		if d.Kind != crypto.DutyProjection || p.s.operator == nil {
			continue
		}
		shards, asked := carried[d.Name]
		if !asked {
			shards, err = p.s.operator.Erased(d.Name, e.ID)
			if carried[d.Name] = shards; err != nil && muster.CodeOf(err) != muster.NotFound {
				faults = append(faults, err)
			}
		}
		for _, shard := range shards {
			if shard == d.Partition || shard == projector.Whole {
				done = append(done, d)
			}
		}
	}
	return done, errors.Join(faults...)
}
