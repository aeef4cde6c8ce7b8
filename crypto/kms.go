package crypto

import "context"

// KMS wraps key-encryption keys, one native key per generation. An error that is [ErrNoAccess] or [ErrShredded] (the generation's key is
// destroyed) is final; anything else is read as [ErrKeyUnavailable].
type KMS interface {
	// Wrap seals a key under the native key of a generation, bound to aad; it makes that native key if there is none yet.
	Wrap(ctx context.Context, generation uint32, key, aad []byte) ([]byte, error)
	// Unwrap opens what Wrap made. [ErrTampered] when key or aad are not those of Wrap.
	Unwrap(ctx context.Context, generation uint32, wrapped, aad []byte) ([]byte, error)
	// DestroyGeneration destroys a native key for good, with everything ever wrapped by it. It is idempotent.
	DestroyGeneration(ctx context.Context, generation uint32) error
}
