package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-3eec0498/muster/crypto"
)

// ErasureConfig has a service take part in the erasures of a key space: those that it is asked for, and those that others ask for. KeySpace must
// be set; where [Config.Codec] seals and not [Config.Privacy], Keys too, and the codec must be one over the same key store.
type ErasureConfig struct {
	// KeySpace names the ledger's topic, <KeySpace>.erasures under the prefix, which all services with data of the same people share.
	KeySpace string
	// Ledger is used in place of that topic. Nil means the topic.
	Ledger crypto.LedgerLog
	// Keys is the key store. Nil means that of Config.Privacy.
	Keys crypto.KeyStore
	// Ref makes the reference of a subject's id, as the codec does: see [crypto.RefOf]. Nil means with the key of Config.Privacy; without that,
	// subjects are given as 32 hex digits of their reference.
	Ref func(subject string) crypto.SubjectRef
	// Rotation has this service change the generation of keys when that is due. Nil: it does not, and somebody else does; see docs/keys.md.
	Rotation *KeyRotation
	// Ticks and Gone are those of [crypto.EraserConfig]. Nil means what Keys does itself, where it can tick, as [Keys] can, and what the key store says of
	// generations, where Config.Privacy or Rotation names the KMS.
	Ticks func(ctx context.Context) error
	Gone  func(ctx context.Context, generations []uint32) (bool, error)
	// Patience is how long acknowledgements may be missing before that is an alert. Zero means 24 hours.
	Patience time.Duration
	// Look is how often this process looks for something to do that nobody told it of. Zero means 5 s.
	Look time.Duration
}

// over gives the configuration with what it takes from that of the sealing codec.
func (c *ErasureConfig) over(sealing *crypto.Config) ErasureConfig {
	full := *c
	if sealing != nil && full.Keys == nil {
		full.Keys = sealing.Keys
	}
	if keys, can := full.Keys.(interface {
		Tick(ctx context.Context) error
	}); can && full.Ticks == nil {
		full.Ticks = keys.Tick
	}
	if sealing != nil && full.Ref == nil {
		full.Ref = func(subject string) crypto.SubjectRef {
			return crypto.RefOf(sealing.SubjectKey, sealing.Tenant, subject)
		}
	}
	return full
}

func (c *ErasureConfig) faults(sealing *crypto.Config) []error {
	if c == nil {
		return nil
	}
	var faults []error
	fault := func(wrong bool, text string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf("service: Erasure."+text, args...))
		}
	}
	fault(c.Keys == nil && sealing == nil, "Keys is nil, and so is Privacy; give it the key store of the codec")
	fault(!serviceName.MatchString(c.KeySpace), "KeySpace %q: 1 to 150 letters, digits, dots, dashes or underscores, beginning with a letter or digit", c.KeySpace)
	if err := c.rotationFaults(sealing); err != nil {
		faults = append(faults, err)
	}
	fault(c.Patience < 0 || c.Look < 0, "Patience %v and Look %v are not negative; zero means the default", c.Patience, c.Look)
	return faults
}

func (c *ErasureConfig) look() time.Duration { return orDefault(c.Look, 5*time.Second) }

func (c *ErasureConfig) ref(subject string) (crypto.SubjectRef, error) {
	if subject == "" {
		return crypto.SubjectRef{}, errors.New("a subject has no id; name one")
	}
	if c.Ref != nil {
		return c.Ref(subject), nil
	}
	return crypto.ParseSubjectRef(subject)
}
