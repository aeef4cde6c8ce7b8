package tink_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkapi "github.com/tink-crypto/tink-go/v2/tink"

	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/kms/tink"
	"github.com/seed-3eec0498/muster/mustertest"
)

// keysets are real keysets of Tink in memory, one for each generation.
type keysets struct {
	mu   sync.Mutex // guards keys
	keys map[uint32]tinkapi.AEADWithContext
	away error
}

func (k *keysets) AEAD(_ context.Context, generation uint32, create bool) (tinkapi.AEADWithContext, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	a, there := k.keys[generation]
	switch {
	case k.away != nil:
		return nil, k.away
	case there && a == nil:
		return nil, crypto.ErrShredded
	case !there && !create:
		return nil, crypto.ErrKeyMissing
	case !there:
		handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
		if err != nil {
			return nil, err
		}
		primitive, err := aead.New(handle)
		if err != nil {
			return nil, err
		}
		a = tink.WithContext(primitive)
		k.keys[generation] = a
	}
	return a, nil
}

func (k *keysets) Destroy(_ context.Context, generation uint32) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys[generation] = nil
	return k.away
}

func TestKMS(t *testing.T) {
	mustertest.KMS(t, func(testing.TB) crypto.KMS {
		return tink.KMS(&keysets{keys: map[uint32]tinkapi.AEADWithContext{}}, true)
	})
}

// What fails far away is never read as tampered or destroyed.
func TestFarAway(t *testing.T) {
	keys := &keysets{keys: map[uint32]tinkapi.AEADWithContext{}}
	far := tink.KMS(keys, false)
	wrapped, err := far.Wrap(t.Context(), 1, []byte("key"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := far.Unwrap(t.Context(), 1, wrapped[1:], nil); !errors.Is(err, crypto.ErrKeyUnavailable) || errors.Is(err, crypto.ErrTampered) {
		t.Errorf("what does not open far away: %v", err)
	}
	keys.away = errors.New("connection refused")
	if _, err := far.Unwrap(t.Context(), 1, wrapped, nil); !errors.Is(err, crypto.ErrKeyUnavailable) {
		t.Errorf("a KMS that is away: %v", err)
	}
	if err := far.DestroyGeneration(t.Context(), 1); !errors.Is(err, crypto.ErrKeyUnavailable) {
		t.Errorf("destroying in a KMS that is away: %v", err)
	}
}
