package crypto

import (
	"context"
	"errors"
	"fmt"
)

// CheckAccess tells whether this process has the right to the keys it needs, by reading the current key-encryption key and opening it: [ErrNoAccess] when key
// store or KMS denies that, with which of them it was, and any other error when it cannot be told now. Nil also where nothing was ever sealed, since
// nothing can be tried then.
func (c *Codec) CheckAccess(ctx context.Context) error {
	ctx, done := context.WithTimeout(ctx, c.cfg.KeyTimeout)
	defer done()
	e, err := c.ring.store.Active(ctx, KEKSubject(c.cfg.Tenant))
	switch {
	case errors.Is(err, ErrKeyMissing):
		return nil
	case err != nil:
		return fmt.Errorf("key store: %w", keyFault(err))
	}
	if _, err := c.ring.keks.opened(ctx, e); err != nil {
		return fmt.Errorf("KMS, generation %d: %w", e.Generation, err)
	}
	return nil
}

// NoKeys gives the key store of a process that may read no key: what is personal is absent from everything it reads, with status no access, and it seals
// nothing. It is for projections that can do without, which then need no rights to the key topic, its table or the KMS.
func NoKeys() KeyStore { return noKeys{} }

type noKeys struct{}

// Active implements [KeyStore].
func (noKeys) Active(context.Context, SubjectRef) (Entry, error) { return Entry{}, ErrNoAccess }

// Lookup implements [KeyStore].
func (noKeys) Lookup(context.Context, SubjectRef, KeyID) (Entry, error) { return Entry{}, ErrNoAccess }

// PutIfAbsent implements [KeyStore].
func (noKeys) PutIfAbsent(context.Context, Entry) (Entry, error) { return Entry{}, ErrNoAccess }

// Replace implements [KeyStore].
func (noKeys) Replace(context.Context, Entry) error { return ErrNoAccess }

// Destroy implements [KeyStore].
func (noKeys) Destroy(context.Context, SubjectRef, string) (Receipt, error) {
	return Receipt{}, ErrNoAccess
}

// Destroyed implements [KeyStore].
func (noKeys) Destroyed(context.Context, SubjectRef) (Receipt, bool, error) {
	return Receipt{}, false, ErrNoAccess
}

// Reinstate implements [KeyStore].
func (noKeys) Reinstate(context.Context, SubjectRef, uint32) (uint32, error) { return 0, ErrNoAccess }

// Watch implements [KeyStore]. There is nothing that could be missed.
func (noKeys) Watch(ctx context.Context, ready func(), _ func(KeyChange)) error {
	ready()
	<-ctx.Done()
	return ctx.Err()
}

// Scan implements [KeyStore].
func (noKeys) Scan(context.Context, func(Entry) error) error { return ErrNoAccess }
