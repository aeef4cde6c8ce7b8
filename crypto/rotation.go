package crypto

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// RotationConfig says whose keys a [Rotation] changes. Keys and KMS must be set.
type RotationConfig struct {
	Keys KeyStore
	KMS  KMS
	// Tenants are all whose keys are in the store. A key that is none of theirs keeps every generation alive. Empty means the tenant without a name.
	Tenants []string
	// Beside is how many keys are wrapped again at once. Zero means 16.
	Beside int
	// Slice is how many keys are wrapped and read back in one go over the store; more keys take more goes. Each takes about 70 bytes of memory. Zero
	// means 250,000, so about 18 MB.
	Slice int
	// Logger hears what was done. Nil means that nothing is logged.
	Logger *slog.Logger
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Rotation changes the keys that wrap data keys: [Rotation.Begin] makes a new generation, [Rotation.Rewrap] brings all data keys under it, and
// [Rotation.Destroy] destroys an old one for good, and with it every copy of a wrapped key that lies in segments, logs and backups. Any of them may be
// called again after it was interrupted, from any process.
type Rotation struct {
	config RotationConfig
	keks   []*keks // one of each tenant
}

// ErrGenerationInUse means that a generation still wraps data keys, so that its destruction would lose them.
var ErrGenerationInUse = errors.New("crypto: the generation still wraps data keys, or is the current one; call Begin and Rewrap first")

// NewRotation makes one.
func NewRotation(c RotationConfig) (*Rotation, error) {
	if c.Keys == nil || c.KMS == nil || c.Beside < 0 || c.Slice < 0 {
		return nil, fmt.Errorf("%w: a rotation needs Keys, KMS, and no negative Beside or Slice", errInput)
	}
	if len(c.Tenants) == 0 {
		c.Tenants = []string{""}
	}
	if c.Beside == 0 {
		c.Beside = 16
	}
	if c.Slice == 0 {
		c.Slice = 250_000
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Rotation{config: c}
	for _, tenant := range c.Tenants {
		r.keks = append(r.keks, newKEKs(tenant, c.Keys, c.KMS, c.Now))
	}
	return r, nil
}

// Current gives the newest generation and since when it is in use; 0 where nothing was ever sealed.
func (r *Rotation) Current(ctx context.Context) (generation uint32, since time.Time, err error) {
	for _, k := range r.keks {
		e, err := r.config.Keys.Active(ctx, KEKSubject(k.tenant))
		switch {
		case errors.Is(err, ErrKeyMissing):
		case err != nil:
			return 0, time.Time{}, kekFault(err)
		case e.Generation > generation:
			generation, since = e.Generation, e.Created
		}
	}
	return generation, since, nil
}

// Begin makes the generation after the current one, under which every new data key is wrapped from then on, and gives its number. Of several who
// begin at once one makes it, and each gets the same number, or the one after it.
func (r *Rotation) Begin(ctx context.Context) (generation uint32, err error) {
	current, _, err := r.Current(ctx)
	if err != nil {
		return 0, err
	}
	for _, k := range r.keks {
		if _, err := k.create(ctx, current+1); err != nil {
			return 0, kekFault(err)
		}
	}
	return current + 1, r.retire(ctx, current+1)
}

// level gives the current generation to tenants that have none: who began it has died before it was there.
func (r *Rotation) level(ctx context.Context, current uint32) error {
	for _, k := range r.keks {
		_, err := r.config.Keys.Lookup(ctx, KEKSubject(k.tenant), KEKID(current))
		if errors.Is(err, ErrKeyMissing) {
			_, err = k.create(ctx, current)
		}
		if err != nil {
			return kekFault(err)
		}
	}
	return nil
}

// earlier gives the generations before the current one that are not destroyed.
func (r *Rotation) earlier(ctx context.Context, current uint32) (all []uint32, err error) {
	err = r.each(ctx, func(e Entry) error {
		if e.Generation < current && !slices.Contains(all, e.Generation) {
			all = append(all, e.Generation)
		}
		return nil
	})
	slices.Sort(all)
	return all, err
}

// retire has no generation before this one wrap anything new. Who has wrapped a key with one of them looks once it is stored, and wraps it again.
func (r *Rotation) retire(ctx context.Context, current uint32) error {
	if err := r.level(ctx, current); err != nil {
		return err
	}
	return r.each(ctx, func(e Entry) error {
		if e.Generation >= current || e.State != EntryActive {
			return nil
		}
		e.State = EntryReadOnly
		return r.config.Keys.Replace(ctx, e)
	})
}

// each gives the entries of all generations of key-encryption keys. They are numbered from 1 without a gap.
func (r *Rotation) each(ctx context.Context, f func(Entry) error) error {
	current, _, err := r.Current(ctx)
	if err != nil {
		return err
	}
	for _, k := range r.keks {
		for g := uint32(1); g <= current; g++ {
			e, err := r.config.Keys.Lookup(ctx, KEKSubject(k.tenant), KEKID(g))
			switch {
			case errors.Is(err, ErrShredded), errors.Is(err, ErrKeyMissing): // destroyed, or before the tenant's time
				continue
			case err == nil:
				err = f(e)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// scan gives all data keys that are not destroyed.
func (r *Rotation) scan(ctx context.Context, f func(Entry) error) error {
	return r.config.Keys.Scan(ctx, func(e Entry) error {
		for _, k := range r.keks {
			if e.Subject == KEKSubject(k.tenant) {
				return nil
			}
		}
		if e.State == EntryDestroyed {
			return nil
		}
		return f(e)
	})
}

// open unwraps a data key, and tells whose it is. Its id has to be that of the key.
func (r *Rotation) open(ctx context.Context, e Entry) (key []byte, of *keks, err error) {
	for _, k := range r.keks {
		wrapping, err := k.of(ctx, e.Generation)
		if errors.Is(err, ErrKeyMissing) && len(r.keks) > 1 {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		if key, err = wrapping.unwrap(e.Subject, e.ID, e.Wrapped); err != nil {
			continue
		}
		if id, err := keyID(key); err != nil || id != e.ID {
			return nil, nil, fmt.Errorf("subject_ref %x: %w", e.Subject, ErrTampered)
		}
		return key, k, nil
	}
	return nil, nil, fmt.Errorf("subject_ref %x has a key of none of the tenants, or a damaged one: %w", e.Subject, ErrTampered)
}

func (r *Rotation) wrap(ctx context.Context, e Entry, generation uint32) error {
	key, k, err := r.open(ctx, e)
	if err != nil {
		return err
	}
	defer clear(key)
	next, err := k.of(ctx, generation)
	if err != nil {
		return err
	}
	e.Generation, e.Wrapped = generation, next.wrap(e.Subject, e.ID, key)
	return r.config.Keys.Replace(ctx, e)
}
