package mustertest

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/seed-3eec0498/muster/crypto"
)

// KMS holds an implementation of [crypto.KMS] against the port's promises. open gives one without generations for each part, and registers its own
// cleanup.
func KMS(t *testing.T, open func(t testing.TB) crypto.KMS) {
	t.Helper()
	parts := []struct {
		name string
		run  func(s *kmsSuite)
	}{
		{"what is wrapped comes back", (*kmsSuite).roundTrip},
		{"a key is bound to its generation and its place", (*kmsSuite).bound},
		{"a changed key does not open", (*kmsSuite).changed},
		{"a destroyed generation opens nothing, and is not made again", (*kmsSuite).destroyed},
		{"a generation that never was is not destroyed", (*kmsSuite).never},
		{"first uses at once make one generation", (*kmsSuite).atOnce},
		{"an ended context is no news about keys", (*kmsSuite).ended},
	}
	for _, part := range parts {
		t.Run(part.name, func(t *testing.T) { part.run(&kmsSuite{T: t, kms: open(t)}) })
	}
}

type kmsSuite struct {
	*testing.T
	kms crypto.KMS
}

func (s *kmsSuite) wrap(generation uint32, key, aad string) []byte {
	s.Helper()
	wrapped, err := s.kms.Wrap(s.Context(), generation, []byte(key), []byte(aad))
	if err != nil {
		s.Fatalf("Wrap: %v", err)
	}
	if bytes.Contains(wrapped, []byte(key)) {
		s.Fatal("the key can be read in what Wrap gives")
	}
	return wrapped
}

func (s *kmsSuite) unwraps(generation uint32, wrapped []byte, aad, want string) {
	s.Helper()
	if got, err := s.kms.Unwrap(s.Context(), generation, wrapped, []byte(aad)); err != nil || string(got) != want {
		s.Fatalf("Unwrap gives %q, %v; want %q", got, err, want)
	}
}

func (s *kmsSuite) refuses(what string, generation uint32, wrapped []byte, aad string, want error) {
	s.Helper()
	if got, err := s.kms.Unwrap(s.Context(), generation, wrapped, []byte(aad)); !errors.Is(err, want) {
		s.Fatalf("Unwrap of %s gives %q, %v; want %v", what, got, err, want)
	}
}

const suiteKey = "0123456789abcdef0123456789abcdef"

func (s *kmsSuite) roundTrip() {
	first, again := s.wrap(1, suiteKey, "aad"), s.wrap(1, suiteKey, "aad")
	if bytes.Equal(first, again) {
		s.Fatal("two wrappings of a key are equal")
	}
	s.unwraps(1, first, "aad", suiteKey)
	s.unwraps(1, again, "aad", suiteKey)
	s.unwraps(2, s.wrap(2, suiteKey, ""), "", suiteKey)
}

func (s *kmsSuite) bound() {
	wrapped := s.wrap(1, suiteKey, "aad")
	s.wrap(2, suiteKey, "aad") // makes that generation
	s.refuses("a key in another place", 1, wrapped, "other", crypto.ErrTampered)
	s.refuses("a key without its place", 1, wrapped, "", crypto.ErrTampered)
	s.refuses("a key of another generation", 2, wrapped, "aad", crypto.ErrTampered)
}

func (s *kmsSuite) changed() {
	wrapped := s.wrap(1, suiteKey, "aad")
	last := bytes.Clone(wrapped)
	last[len(last)-2] ^= 1 // the last byte may be padding of a text
	s.refuses("a changed key", 1, last, "aad", crypto.ErrTampered)
	s.refuses("a shortened key", 1, wrapped[:len(wrapped)-9], "aad", crypto.ErrTampered)
	s.refuses("nothing", 1, nil, "aad", crypto.ErrTampered)
	s.unwraps(1, wrapped, "aad", suiteKey)
}

func (s *kmsSuite) destroyed() {
	gone, kept := s.wrap(1, suiteKey, "aad"), s.wrap(2, suiteKey, "aad")
	for range 2 {
		if err := s.kms.DestroyGeneration(s.Context(), 1); err != nil {
			s.Fatalf("DestroyGeneration: %v", err)
		}
		s.refuses("a key of a destroyed generation", 1, gone, "aad", crypto.ErrShredded)
		if _, err := s.kms.Wrap(s.Context(), 1, []byte(suiteKey), nil); !errors.Is(err, crypto.ErrShredded) {
			s.Fatalf("Wrap under a destroyed generation gives %v, want ErrShredded", err)
		}
	}
	s.unwraps(2, kept, "aad", suiteKey)
}

func (s *kmsSuite) never() {
	wrapped := s.wrap(1, suiteKey, "aad")
	if _, err := s.kms.Unwrap(s.Context(), 9, wrapped, []byte("aad")); err == nil || errors.Is(err, crypto.ErrShredded) {
		s.Fatalf("Unwrap under a generation that never was gives %v; nothing was destroyed", err)
	}
}

func (s *kmsSuite) atOnce() {
	var all sync.WaitGroup
	wrapped := make([][]byte, 8)
	for i := range wrapped {
		all.Go(func() {
			var err error
			if wrapped[i], err = s.kms.Wrap(s.Context(), 1, []byte(suiteKey), []byte("aad")); err != nil {
				s.Errorf("Wrap: %v", err)
			}
		})
	}
	all.Wait()
	for _, w := range wrapped {
		s.unwraps(1, w, "aad", suiteKey)
	}
}

func (s *kmsSuite) ended() {
	wrapped := s.wrap(1, suiteKey, "aad")
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	for _, final := range []error{crypto.ErrShredded, crypto.ErrNoAccess, crypto.ErrTampered} {
		if _, err := s.kms.Unwrap(ctx, 1, wrapped, []byte("aad")); err == nil || errors.Is(err, final) {
			s.Fatalf("Unwrap with an ended context gives %v", err)
		}
	}
}
