package crypto_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seed-3eec0498/muster/crypto"
)

// scanned counts the scans of a store, and loses a key when it is replaced.
type scanned struct {
	crypto.KeyStore
	scans int
	loses crypto.SubjectRef
	lost  atomic.Bool
}

func (s *scanned) Scan(ctx context.Context, f func(crypto.Entry) error) error {
	s.scans++
	return s.KeyStore.Scan(ctx, func(e crypto.Entry) error {
		if s.lost.Load() && e.Subject == s.loses {
			return nil
		}
		return f(e)
	})
}

func (s *scanned) Replace(ctx context.Context, e crypto.Entry) error {
	if e.Subject == s.loses {
		s.lost.Store(true)
	}
	return s.KeyStore.Replace(ctx, e)
}

func (s *scanned) Lookup(ctx context.Context, subject crypto.SubjectRef, id crypto.KeyID) (crypto.Entry, error) {
	if s.lost.Load() && subject == s.loses {
		return crypto.Entry{}, crypto.ErrKeyMissing
	}
	return s.KeyStore.Lookup(ctx, subject, id)
}

// A re-wrap goes over the store in slices, so that it need not remember all keys. Each key is in one of them: all are wrapped and counted once, and one that
// a store loses is missed, whichever slice it is in.
func TestRewrapInSlices(t *testing.T) {
	const count, slice = 60, 7
	w := newRotationWorld(t, count)
	w.begin(2)
	rotation := func(keys crypto.KeyStore) *crypto.Rotation {
		r, err := crypto.NewRotation(crypto.RotationConfig{Keys: keys, KMS: w.kms, Tenants: []string{"tenant"}, Beside: 1, Slice: slice})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	store := &scanned{KeyStore: w.keys}
	done, err := rotation(store).Rewrap(t.Context())
	if err != nil || done.Live != count || done.Wrapped != count || done.Destroyed != 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	if want := 1 + 2*9; store.scans != want { // nine slices of 7 hold 60 keys
		t.Errorf("%d scans, want %d", store.scans, want)
	}
	for n := range count {
		w.opens(byte(n+1), 2)
	}
	for n := range 6 {
		n *= 10
		w.begin(uint32(3 + n/10)) // so that each key is to be wrapped again
		store := &scanned{KeyStore: w.keys, loses: crypto.SubjectRef{byte(n + 1)}}
		if _, err := rotation(store).Rewrap(t.Context()); !errors.Is(err, crypto.ErrKeyMissing) || !strings.Contains(err.Error(), "was there before") {
			t.Fatalf("a store that has lost the key of subject %d: %v", n+1, err)
		}
	}
	if _, err := crypto.NewRotation(crypto.RotationConfig{Keys: w.keys, KMS: w.kms, Slice: -1}); err == nil {
		t.Error("a negative slice was taken")
	}
}
