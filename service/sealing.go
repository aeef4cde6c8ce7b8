package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/projector"
)

// openSealing puts the sealing codec in front of every payload, where it is wanted. What else uses the codec takes it from cfg.
func (s *Service) openSealing(ctx context.Context) error {
	if s.cfg.Privacy == nil {
		return nil
	}
	cfg := *s.cfg.Privacy
	if cfg.Inner == nil {
		cfg.Inner = s.cfg.Codec
	}
	if cfg.Logger == nil {
		cfg.Logger = s.log
	}
	own := cfg.Observe
	faults := s.metrics.counter("privacy_faults_total", "Payloads that could not be sealed or opened, by reason.", "reason")
	unwraps := s.metrics.histogram("privacy_unwrap_seconds", "Time in which a data key was opened.", prometheus.ExponentialBuckets(10e-6, 4, 10))
	cfg.Observe.Fault = func(err error) {
		faults.WithLabelValues(muster.PayloadFaultOf(err).Reason()).Inc()
		if own.Fault != nil {
			own.Fault(err)
		}
	}
	cfg.Observe.Unwrapped = func(took time.Duration) {
		unwraps.WithLabelValues().Observe(took.Seconds())
		if own.Unwrapped != nil {
			own.Unwrapped(took)
		}
	}
	cfg.Observe.Watch = func(live bool, err error) {
		s.watching(live, err)
		if own.Watch != nil {
			own.Watch(live, err)
		}
	}
	codec, err := crypto.Open(ctx, cfg)
	if err != nil {
		return fmt.Errorf("service %s: Privacy: %w", s.cfg.Name, err)
	}
	s.sealing, s.cfg.Codec = codec, codec
	s.sealingGauges()
	return nil
}

// watching tells who waits for readiness that the keys are known, or are not any more.
func (s *Service) watching(live bool, err error) {
	s.board.touch()
	if !live {
		s.log.Warn("the key store is not watched, so nothing is known of keys destroyed from now on; trying again", "error", err)
	}
}

// sealingReady tells whether what was destroyed lately is known.
func (s *Service) sealingReady() error {
	if s.sealing == nil || s.sealing.Stats().Live {
		return nil
	}
	return errors.New("the key store is not watched yet")
}

func (s *Service) sealingGauges() {
	for _, c := range []struct {
		name, help string
		read       func(crypto.Stats) int64
	}{
		{"privacy_key_hits_total", "Parts that were sealed or opened with a key that was in memory.", func(is crypto.Stats) int64 { return is.Hits }},
		{"privacy_key_misses_total", "Keys that the key store was asked about.", func(is crypto.Stats) int64 { return is.Misses }},
		{"privacy_keys_created_total", "Data keys made by this process.", func(is crypto.Stats) int64 { return is.Created }},
		{"privacy_sealed_total", "Parts of payloads that were sealed.", func(is crypto.Stats) int64 { return is.Sealed }},
		{"privacy_opened_total", "Parts of payloads that were opened.", func(is crypto.Stats) int64 { return is.Opened }},
	} {
		s.metrics.sum(c.name, c.help, func() float64 { return float64(c.read(s.sealing.Stats())) })
	}
	s.metrics.gauge("privacy_subjects", "Subjects whose keys are open in memory.", nil, func() float64 { return float64(s.sealing.Stats().Subjects) })
	s.metrics.gauge("privacy_destroyed_keys", "Keys known to be destroyed.", nil, func() float64 { return float64(s.sealing.Stats().Destroyed) })
	s.metrics.gauge("privacy_watch_behind_seconds", "For how long the key store has not been watched; 0 while it is.", nil, func() float64 {
		if is := s.sealing.Stats(); !is.Live {
			return is.Behind.Seconds()
		}
		return 0
	})
}

// checkTypes asks the codec about the Go types of everything the service reads or writes.
func (s *Service) checkTypes(behaviours []*muster.Behaviour, subscriptions []*muster.Subscription, projections []projector.Part) error {
	codec := s.cfg.codec()
	var faults []error
	for _, b := range behaviours {
		faults = append(faults, b.CheckTypes(codec))
	}
	groups := map[*muster.Group]bool{}
	for _, b := range behaviours {
		groups[b.Group()] = true
	}
	check := func(g *muster.Group) {
		if !groups[g] {
			groups[g] = true
			faults = append(faults, g.CheckTypes(codec))
		}
	}
	for _, sub := range subscriptions {
		check(sub.Group())
	}
	for _, p := range projections {
		for _, g := range p.Definition().Groups() {
			check(g)
		}
		if rows, has := p.(interface {
			CheckTypes(codec muster.Codec) error
		}); has {
			faults = append(faults, rows.CheckTypes(codec))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("service %s: %w", s.cfg.Name, err)
	}
	return nil
}

// shutSealing forgets the keys, after everything that may need one has ended.
func (s *Service) shutSealing() {
	if s.sealing == nil {
		return
	}
	if err := s.sealing.Close(); err != nil {
		s.log.Warn("the keys were not put away cleanly", "error", err)
	}
}
