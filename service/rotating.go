package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-3eec0498/muster/crypto"
)

// KeyRotation has services change the generation of keys by themselves, see [crypto.Schedule]: give it to all services of the key space, or to some. The zero
// value does it every 30 days.
type KeyRotation struct {
	// Every is the age at which a generation is followed by the next one. Zero means 30 days.
	Every time.Duration
	// Keep is how long a generation can still be read after that, before its native key is destroyed in the KMS and older backups of the key store are of
	// no use any more. Zero means 24 hours.
	Keep time.Duration
	// KMS is the one of the codec. Nil means that of Config.Privacy.
	KMS crypto.KMS
	// Tenants are all whose keys are in the key store; one that is not named keeps every generation alive. Empty means that of Config.Privacy.
	Tenants []string
}

// rotation gives what changes the keys of the key space, nil where nobody said what wraps them.
func (c *ErasureConfig) rotation(s *Service) (*crypto.Rotation, error) {
	var own KeyRotation
	if c.Rotation != nil {
		own = *c.Rotation
	}
	if sealing := s.cfg.Privacy; sealing != nil {
		if own.KMS == nil {
			own.KMS = sealing.KMS
		}
		if len(own.Tenants) == 0 {
			own.Tenants = []string{sealing.Tenant}
		}
	}
	if own.KMS == nil {
		return nil, nil //nolint:nilnil // there is none
	}
	return crypto.NewRotation(crypto.RotationConfig{Keys: c.Keys, KMS: own.KMS, Tenants: own.Tenants, Logger: s.log, Now: s.clock.Now})
}

func (c *ErasureConfig) rotationFaults(sealing *crypto.Config) error {
	own := c.Rotation
	if own == nil {
		return nil
	}
	every, keep := cmp.Or(own.Every, crypto.DefaultRotateEvery), cmp.Or(own.Keep, crypto.DefaultRotateKeep)
	switch {
	case own.KMS == nil && sealing == nil:
		return errors.New("service: Erasure.Rotation.KMS is nil, and so is Privacy; give it the KMS of the codec")
	case keep < time.Minute || every <= keep:
		return fmt.Errorf("service: Erasure.Rotation: Every is %v and Keep %v; give a Keep of a minute or more, and a longer Every", every, keep)
	}
	return nil
}

// openRotation wires generations that are gone to the erasures that wait for it, and makes the schedule where one is wanted.
func (p *Privacy) openRotation() error {
	rotation, err := p.config.rotation(p.s)
	if err != nil || rotation == nil {
		return err
	}
	if p.config.Gone == nil {
		p.config.Gone = rotation.Gone
	}
	own := p.config.Rotation
	if own == nil {
		return nil
	}
	p.schedule, err = crypto.NewSchedule(crypto.ScheduleConfig{
		Rotation: rotation, Ledger: p.ledger, Every: own.Every, Keep: own.Keep, Logger: p.s.log, Now: p.s.clock.Now, Failpoint: p.s.cfg.failpoint,
	})
	if err == nil {
		p.rotationGauges()
	}
	return err
}

// Rotation tells how far the change of generations is, as of the last look of this process; false without [ErasureConfig.Rotation].
func (p *Privacy) Rotation() (crypto.ScheduleStatus, bool) {
	if p.schedule == nil {
		return crypto.ScheduleStatus{}, false
	}
	return p.schedule.Status(), true
}

// rotate does what is due until ctx ends.
func (p *Privacy) rotate(ctx context.Context) {
	if p.schedule == nil {
		return
	}
	tick := time.NewTicker(orDefault(p.config.Look, time.Minute))
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := p.schedule.Advance(ctx); err != nil && ctx.Err() == nil {
			p.s.log.ErrorContext(ctx, "the generation of keys cannot be changed now; trying again later, nothing is lost meanwhile", "key_space", p.config.KeySpace, "error", quiet(err))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

func (p *Privacy) rotationGauges() {
	m, is := p.s.metrics, p.schedule.Status
	m.gauge("privacy_generation", "Current generation of keys; 0 where nothing was ever sealed.", nil, func() float64 { return float64(is().Generation) })
	m.gauge("privacy_generation_age_seconds", "Age of the current generation of keys.", nil, func() float64 {
		if since := is().Since; !since.IsZero() {
			return p.s.clock.Now().Sub(since).Seconds()
		}
		return 0
	})
	m.gauge("privacy_generations_kept", "Earlier generations of keys that are not destroyed.", nil, func() float64 { return float64(len(is().Earlier)) })
	m.gauge("privacy_rotated_timestamp_seconds", "When all keys were last found under the then current generation, as Unix time; 0: never.", nil, func() float64 {
		if at := is().Rotated; !at.IsZero() {
			return float64(at.UnixMicro()) / 1e6
		}
		return 0
	})
	m.sum("privacy_rewrapped_total", "Data keys that this process has wrapped under another generation.", func() float64 { return float64(is().Rewrapped) })
	m.sum("privacy_rotation_failures_total", "Tries of this process to change the generation that have failed.", func() float64 { return float64(is().Failures) })
}
