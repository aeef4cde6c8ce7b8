package service

import (
	"context"
	"fmt"
	"sync"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/crypto"
)

// Privacy erases and exports what the service and all others of its key space have of a person. Whoever may call it may destroy data for good and read
// all of a person's: give it rights of its own. Its methods may be called by any goroutine; erasures are carried out while [Service.Run] runs.
type Privacy struct {
	s        *Service
	config   ErasureConfig
	table    *consumer.Table // nil where the configuration brings a ledger
	ledger   *crypto.Ledger
	eraser   *crypto.Eraser
	schedule *crypto.Schedule // nil without ErasureConfig.Rotation
	stir     chan struct{}    // room for one: there may be something to do
	knows    sync.Map         // erasures by id that the key store of this process has heard of

	told    map[string]bool // erasures that an alert was logged for
	ordered map[string]bool // erasures that the projections were told of; both belong to run
	before  map[string]bool // erasures whose keys were destroyed when the service opened
}

// Privacy gives control over erasures, nil without [Config.Erasure].
func (s *Service) Privacy() *Privacy { return s.privacy }

// openErasures opens the ledger and brings the key store up to it, before anything is read or written with a key.
func (s *Service) openErasures(ctx context.Context) (err error) {
	if s.cfg.Erasure == nil {
		return nil
	}
	p := &Privacy{s: s, config: s.cfg.Erasure.over(s.cfg.Privacy), stir: make(chan struct{}, 1), told: map[string]bool{}, ordered: map[string]bool{}, before: map[string]bool{}}
	log := p.config.Ledger
	if log == nil {
		if p.table, err = consumer.OpenTable(ctx, s.cfg.connection(), muster.ErasuresTopic(s.cfg.Prefix, p.config.KeySpace), s.log); err != nil {
			return err
		}
		log = erasuresLog{p.table}
	}
	s.privacy = p
	if p.ledger, err = crypto.OpenLedger(ctx, log, s.cfg.Name+"/"+s.name, s.clock.Now); err != nil {
		return fmt.Errorf("service %s: key space %s: %w", s.cfg.Name, p.config.KeySpace, err)
	}
	if err := p.openRotation(); err != nil {
		return fmt.Errorf("service %s: key space %s: %w", s.cfg.Name, p.config.KeySpace, err)
	}
	p.eraser = crypto.NewEraser(crypto.EraserConfig{
		Ledger: p.ledger, Keys: p.config.Keys, Ticks: p.config.Ticks, Gone: p.config.Gone, Patience: p.config.Patience, Now: s.clock.Now,
		Failpoint: s.cfg.failpoint,
	})
	drill, err := crypto.Replay(ctx, p.ledger, p.config.Keys)
	if err != nil {
		return fmt.Errorf("service %s: key space %s: %w", s.cfg.Name, p.config.KeySpace, err)
	}
	for _, e := range p.ledger.Erasures() {
		if e.State >= crypto.ErasureKeysDestroyed {
			p.knows.Store(e.ID, true)
			p.before[e.ID] = true
		}
	}
	if drill.Destroyed > 0 {
		s.log.Error("the key store had keys of erased subjects, as a restored backup has; they are destroyed again", "key_space", p.config.KeySpace, "erasures", drill.Destroyed)
	}
	return nil
}

// join says on the ledger what this service will acknowledge.
func (p *Privacy) join(ctx context.Context) error {
	var shares []crypto.ShareSize
	for _, o := range p.s.owners {
		shares = append(shares, crypto.ShareSize{Kind: crypto.DutyGroup, Name: o.group.Name(), Partitions: o.group.Partitions()})
	}
	for _, one := range p.s.projections {
		shares = append(shares, crypto.ShareSize{Kind: crypto.DutyProjection, Name: one.String(), Partitions: int32(len(one.Shards(p.s.cfg.Prefix)))})
	}
	return p.ledger.Join(ctx, p.s.cfg.Name, shares)
}

func (p *Privacy) close() {
	if p.table != nil {
		p.table.Close()
	}
}

// Erase asks for the erasure of a person's data, and begins it: the request is on the ledger when it returns without an error, and it goes on by itself
// in every service of the key space; see [Privacy.Status]. A subject that is being erased, or was, gives that erasure. Reason and requester stand on
// the ledger for ever, see [crypto.ErasureRequest].
func (p *Privacy) Erase(ctx context.Context, subject, reason, requester string) (crypto.Erasure, error) {
	ref, err := p.config.ref(subject)
	if err != nil {
		return crypto.Erasure{}, muster.Errorf(muster.InvalidArgument, "%v", err)
	}
	e, err := p.eraser.Request(ctx, crypto.ErasureRequest{Subject: ref, Reason: reason, Requester: requester})
	if err != nil {
		return e, err
	}
	p.s.cfg.failpoint("erasure-requested")
	if err := p.eraser.Advance(ctx); err != nil {
		p.s.log.Warn("an erasure is asked for and goes on when what it needs is there again", "erasure", e.ID, "error", err)
	}
	p.forget(ref)
	select {
	case p.stir <- struct{}{}:
	default:
	}
	e, _ = p.ledger.Erasure(e.ID)
	return e, nil
}

// Status tells how far the latest erasure of a subject is. NotFound: there is none.
func (p *Privacy) Status(ctx context.Context, subject string) (crypto.Erasure, error) {
	ref, err := p.config.ref(subject)
	if err != nil {
		return crypto.Erasure{}, muster.Errorf(muster.InvalidArgument, "%v", err)
	}
	if err := p.ledger.Sync(ctx); err != nil {
		return crypto.Erasure{}, err
	}
	e, there := p.ledger.Subject(ref)
	if !there {
		return e, muster.Errorf(muster.NotFound, "no erasure of this subject is on the ledger of key space %s", p.config.KeySpace)
	}
	return e, nil
}

// Await returns when the latest erasure of a subject has come to a state, or with the error of ctx.
func (p *Privacy) Await(ctx context.Context, subject string, state crypto.ErasureState) (crypto.Erasure, error) {
	for {
		changed := p.ledger.Changed()
		e, err := p.Status(ctx, subject)
		if err != nil || e.State >= state {
			return e, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return e, muster.Errorf(muster.CodeOf(ctx.Err()), "erasure %s is %s; %d acknowledgements are missing: %v", e.ID, e.State, len(e.Missing()), e.Missing())
		}
	}
}

// Reinstate lets new data of an erased subject be sealed again, under new keys; see [crypto.Eraser.Reinstate].
func (p *Privacy) Reinstate(ctx context.Context, subject, reason, requester string) error {
	ref, err := p.config.ref(subject)
	if err != nil {
		return muster.Errorf(muster.InvalidArgument, "%v", err)
	}
	err = p.eraser.Reinstate(ctx, ref, reason, requester)
	p.forget(ref)
	return err
}

// Ledger gives the record of all erasures, for audits.
func (p *Privacy) Ledger() *crypto.Ledger { return p.ledger }

// forget has the codec ask the key store about a subject again.
func (p *Privacy) forget(ref crypto.SubjectRef) {
	if f, does := p.s.cfg.codec().(muster.Forgetter); does {
		f.Forget(ref)
	}
}
