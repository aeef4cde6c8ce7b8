package crypto

import (
	"context"
	"errors"
	"fmt"
)

// Destroy destroys a generation for good: its native key in the KMS, and then its key-encryption keys in the key store, of which every process hears. What
// that generation ever wrapped cannot be opened any more by anybody, wherever it lies. [ErrGenerationInUse]: a live key needs it.
//
// Call it a minute or more after [Rotation.Begin]: whoever makes a key looks, once that is stored, whether its generation was retired meanwhile, and may see
// the key store as it was TopicKeysConfig.Age before. A key that is stored in that time, behind the look for keys here, would be lost. [Schedule] keeps to that.
func (r *Rotation) Destroy(ctx context.Context, generation uint32) error {
	current, _, err := r.Current(ctx)
	if err != nil {
		return err
	}
	if generation == 0 || generation >= current {
		return fmt.Errorf("%w: generation %d of %d", ErrGenerationInUse, generation, current)
	}
	if err := r.retire(ctx, current); err != nil {
		return err
	}
	err = r.scan(ctx, func(e Entry) error {
		if e.Generation == generation {
			return fmt.Errorf("%w: a key of subject_ref %x is under generation %d", ErrGenerationInUse, e.Subject, generation)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := r.config.KMS.DestroyGeneration(ctx, generation); err != nil {
		return kekFault(err)
	}
	for _, k := range r.keks {
		e, err := r.config.Keys.Lookup(ctx, KEKSubject(k.tenant), KEKID(generation))
		if err == nil {
			e.State, e.Wrapped = EntryDestroyed, nil
			err = r.config.Keys.Replace(ctx, e)
		}
		if err != nil && !errors.Is(err, ErrShredded) && !errors.Is(err, ErrKeyMissing) {
			return err
		}
		k.drop(generation)
	}
	r.config.Logger.InfoContext(ctx, "a generation of keys is destroyed", "generation", generation)
	return nil
}

// Gone tells whether all of these generations are destroyed: then an erasure has reached every copy (level L2). It is for EraserConfig.Gone.
func (r *Rotation) Gone(ctx context.Context, generations []uint32) (bool, error) {
	for _, g := range generations {
		known := false
		for _, k := range r.keks {
			_, err := r.config.Keys.Lookup(ctx, KEKSubject(k.tenant), KEKID(g))
			switch {
			case err == nil:
				return false, nil
			case errors.Is(err, ErrShredded):
				known = true
			case !errors.Is(err, ErrKeyMissing): // of one tenant: before its time
				return false, kekFault(err)
			}
		}
		if !known {
			return false, ErrKeyMissing
		}
	}
	return true, nil
}

// Renew makes a new version of a subject's data key, which seals from then on, and has the ones before only open. Use it after 90 days or 2^30 seals; what was sealed
// stays as it is. It gives the new version.
func (r *Rotation) Renew(ctx context.Context, subject SubjectRef) (version uint32, err error) {
	old, err := r.config.Keys.Active(ctx, subject)
	if err != nil {
		return 0, err
	}
	key, k, err := r.open(ctx, old)
	if err != nil {
		return 0, err
	}
	clear(key)
	held, err := k.renew(ctx, old)
	return held.Version, err
}

// settle sees to it that a data key that was just stored lies under a generation that lives. Between the wrapping and the storing that generation may have
// been retired, and a re-wrap that did not see the new entry may be over: then it is wrapped again here, before its first use, by whoever has the key in hand.
func (k *keks) settle(ctx context.Context, held Entry, id KeyID, key []byte, wrapping *kek) (Entry, error) {
	if held.ID != id {
		return held, nil // another creator was faster, and settles its own
	}
	generation, err := k.store.Lookup(ctx, KEKSubject(k.tenant), KEKID(wrapping.generation))
	if err != nil && !errors.Is(err, ErrShredded) {
		return Entry{}, kekFault(err)
	}
	if err == nil && generation.State == EntryActive {
		return held, nil
	}
	next, err := k.current(ctx)
	if err != nil {
		return Entry{}, err
	}
	held.Generation, held.Wrapped = next.generation, next.wrap(held.Subject, id, key)
	return held, k.store.Replace(ctx, held)
}
