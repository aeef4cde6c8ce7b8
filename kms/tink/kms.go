// Package tink makes a KMS of Muster out of Tink AEADs, one for each generation of keys: such as those of Tink's integrations with cloud KMSs, whose
// keys never leave them. It is a module of its own, so that Muster does not depend on Tink.
package tink

import (
	"context"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/seed-3eec0498/muster/crypto"
)

// Keys gives the key of each generation.
type Keys interface {
	// AEAD gives the key of a generation, and makes it where make is set and there never was one. [crypto.ErrShredded]: it is destroyed. [crypto.ErrKeyMissing]:
	// it never was. Any other error passes.
	AEAD(ctx context.Context, generation uint32, make bool) (tink.AEADWithContext, error)
	// Destroy destroys the key of a generation for good, whether there ever was one or not. It is idempotent.
	Destroy(ctx context.Context, generation uint32) error
}

// KMS gives the KMS that wraps with these keys.
//
// Tink does not tell why a ciphertext does not open: where the key is in a KMS it may be the network. Opening is therefore said to be tampered with only where
// local says that the keys are in this process, and unavailable, which is asked for again, everywhere else.
func KMS(keys Keys, local bool) crypto.KMS { return &kms{keys: keys, local: local} }

type kms struct {
	keys  Keys
	local bool
}

// Wrap implements [crypto.KMS].
func (k *kms) Wrap(ctx context.Context, generation uint32, key, aad []byte) ([]byte, error) {
	a, err := k.aead(ctx, generation, true)
	if err != nil {
		return nil, err
	}
	wrapped, err := a.EncryptWithContext(ctx, key, bind(generation, aad))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", crypto.ErrKeyUnavailable, err)
	}
	return wrapped, nil
}

// Unwrap implements [crypto.KMS].
func (k *kms) Unwrap(ctx context.Context, generation uint32, wrapped, aad []byte) ([]byte, error) {
	a, err := k.aead(ctx, generation, false)
	if err != nil {
		return nil, err
	}
	key, err := a.DecryptWithContext(ctx, wrapped, bind(generation, aad))
	switch {
	case err == nil:
		return key, nil
	case k.local && ctx.Err() == nil:
		return nil, crypto.ErrTampered
	}
	return nil, fmt.Errorf("%w: %w", crypto.ErrKeyUnavailable, err)
}

// DestroyGeneration implements [crypto.KMS].
func (k *kms) DestroyGeneration(ctx context.Context, generation uint32) error {
	if err := k.keys.Destroy(ctx, generation); err != nil {
		return fmt.Errorf("%w: destroy generation %d: %w", crypto.ErrKeyUnavailable, generation, err)
	}
	return nil
}

func (k *kms) aead(ctx context.Context, generation uint32, create bool) (tink.AEADWithContext, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", crypto.ErrKeyUnavailable, err)
	}
	a, err := k.keys.AEAD(ctx, generation, create)
	for _, known := range []error{crypto.ErrShredded, crypto.ErrKeyMissing, crypto.ErrNoAccess} {
		if errors.Is(err, known) {
			return nil, err
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", crypto.ErrKeyUnavailable, err)
	}
	return a, nil
}

// bind ties what is wrapped to its generation.
func bind(generation uint32, aad []byte) []byte {
	return append([]byte{byte(generation >> 24), byte(generation >> 16), byte(generation >> 8), byte(generation)}, aad...)
}

// WithContext gives an AEAD of Tink that knows no contexts as one that does. The context is looked at before each call.
func WithContext(a tink.AEAD) tink.AEADWithContext { return plain{a} }

type plain struct{ tink.AEAD }

func (p plain) EncryptWithContext(ctx context.Context, plaintext, aad []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return p.Encrypt(plaintext, aad)
}

func (p plain) DecryptWithContext(ctx context.Context, ciphertext, aad []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return p.Decrypt(ciphertext, aad)
}
