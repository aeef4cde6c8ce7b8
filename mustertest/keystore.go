package mustertest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster/crypto"
)

// KeyStoreFixture is an empty key store, with what only its own tests can do to it.
type KeyStoreFixture struct {
	Store crypto.KeyStore
	// Other is the same store as another process sees it. Nil when a store serves one process.
	Other crypto.KeyStore
	// Restart ends Store and gives what the next process sees. Nil when a store ends with its process.
	Restart func(t testing.TB) crypto.KeyStore
	// Cut breaks what the watches of Store stand on, so that each of them may miss something. Nil when nothing can break.
	Cut func(t testing.TB)
	// Compact has what Store stands on forget what it need not keep, such as records that were overwritten. Nil when there is no such thing.
	Compact func(t testing.TB)
	// Steps is how many things [KeyStoreMachine] does in a row at most. Zero means 40; a slow store takes fewer.
	Steps int
}

// KeyStore holds an implementation of [crypto.KeyStore] against the port's promises. Every implementation's tests call it, and [KeyStoreMachine]; open is
// called once for each part and registers its own cleanup.
func KeyStore(t *testing.T, open func(t testing.TB) KeyStoreFixture) {
	t.Helper()
	parts := []struct {
		name string
		run  func(s *keySuite)
	}{
		{"an empty store knows nothing", (*keySuite).empty},
		{"an entry comes back as it was put", (*keySuite).roundTrip},
		{"the first of two candidates holds", (*keySuite).firstHolds},
		{"candidates at once have one winner", (*keySuite).oneWinner},
		{"the newest active version seals", (*keySuite).versions},
		{"replacing never takes back", (*keySuite).replaceForward},
		{"replacing needs the entry that holds", (*keySuite).replaceNeeds},
		{"one key alone can be destroyed", (*keySuite).destroyOne},
		{"what is destroyed stays destroyed", (*keySuite).destroy},
		{"a subject without keys is destroyed, too", (*keySuite).destroyNone},
		{"the receipt names all keys and generations", (*keySuite).receipt},
		{"destroying reaches one subject", (*keySuite).apart},
		{"a creation against a destruction", (*keySuite).createAgainstDestroy},
		{"a re-wrap against a destruction", (*keySuite).rewrapAgainstDestroy},
		{"a reinstated subject has a new life", (*keySuite).reinstate},
		{"an erasure that is told again ends no later life", (*keySuite).toldAgain},
		{"a watch tells every change in order", (*keySuite).watch},
		{"a watch that is cut ends", (*keySuite).watchCut},
		{"a scan gives what holds", (*keySuite).scan},
		{"a restart loses nothing", (*keySuite).restart},
		{"memory is not shared with the caller", (*keySuite).memory},
		{"an ended context is no news about keys", (*keySuite).ended},
		{"wrong arguments are refused", (*keySuite).refused},
	}
	for _, part := range parts {
		t.Run(part.name, func(t *testing.T) { part.run(&keySuite{T: t, KeyStoreFixture: open(t)}) })
	}
}

type keySuite struct {
	*testing.T
	KeyStoreFixture
}

// suiteSubject gives the n-th subject.
func suiteSubject(n int) (s crypto.SubjectRef) {
	binary.BigEndian.PutUint64(s[:], uint64(n)*0x9e3779b97f4a7c15+1) // spread like a hash
	s[15] = byte(n)
	return s
}

// suiteEntry gives a candidate for a version of a subject's key. Different n make different keys.
func suiteEntry(subject crypto.SubjectRef, version uint32, n int) crypto.Entry {
	e := crypto.Entry{Subject: subject, Version: version, State: crypto.EntryActive, Generation: 3}
	binary.BigEndian.PutUint64(e.ID[:], uint64(n)+1)
	e.ID[15] = byte(version)
	e.Wrapped = bytes.Repeat([]byte{byte(n), byte(version), 0, 255}, 15)
	return e
}

func (s *keySuite) put(store crypto.KeyStore, e crypto.Entry) crypto.Entry {
	s.Helper()
	held, err := store.PutIfAbsent(s.Context(), e)
	if err != nil {
		s.Fatalf("PutIfAbsent: %v", err)
	}
	return held
}

func (s *keySuite) replace(store crypto.KeyStore, e crypto.Entry) {
	s.Helper()
	if err := store.Replace(s.Context(), e); err != nil {
		s.Fatalf("Replace: %v", err)
	}
}

func (s *keySuite) end(store crypto.KeyStore, subject crypto.SubjectRef, erasure string) crypto.Receipt {
	s.Helper()
	r, err := store.Destroy(s.Context(), subject, erasure)
	if err != nil {
		s.Fatalf("Destroy: %v", err)
	}
	return r
}

// all gives the views of the store: its own and, where there is one, that of another process.
func (s *keySuite) all() map[string]crypto.KeyStore {
	views := map[string]crypto.KeyStore{"here": s.Store}
	if s.Other != nil {
		views["in another process"] = s.Other
	}
	return views
}

// wantFault fails the test unless an error is this one and none of the others.
func (s *keySuite) wantFault(what string, got error, want error) {
	s.Helper()
	for _, fault := range []error{crypto.ErrShredded, crypto.ErrKeyMissing, crypto.ErrKeyUnavailable} {
		if errors.Is(got, fault) != errors.Is(want, fault) {
			s.Fatalf("%s gives %v; want %v and no other", what, got, want)
		}
	}
}

// wantHeld fails the test unless a view gives this entry, by its id.
func (s *keySuite) wantHeld(want crypto.Entry) {
	s.Helper()
	for name, view := range s.all() {
		got, err := view.Lookup(s.Context(), want.Subject, want.ID)
		if err != nil || !sameEntry(got, want) {
			s.Fatalf("Lookup %s gives %+v, %v; want %+v", name, got, err, want)
		}
	}
}

func (s *keySuite) wantActive(want crypto.Entry) {
	s.Helper()
	for name, view := range s.all() {
		got, err := view.Active(s.Context(), want.Subject)
		if err != nil || !sameEntry(got, want) {
			s.Fatalf("Active %s gives %+v, %v; want %+v", name, got, err, want)
		}
	}
}

// wantDestroyed fails the test unless nothing of these keys can be had, in any view.
func (s *keySuite) wantDestroyed(receipt crypto.Receipt, subject crypto.SubjectRef, ids ...crypto.KeyID) {
	s.Helper()
	ctx := s.Context()
	for name, view := range s.all() {
		_, err := view.Active(ctx, subject)
		s.wantFault("Active of a destroyed subject "+name, err, crypto.ErrShredded)
		_, err = view.PutIfAbsent(ctx, suiteEntry(subject, 9, 999))
		s.wantFault("PutIfAbsent for a destroyed subject "+name, err, crypto.ErrShredded)
		for _, id := range ids {
			_, err = view.Lookup(ctx, subject, id)
			s.wantFault("Lookup of a destroyed key "+name, err, crypto.ErrShredded)
		}
		got, is, err := view.Destroyed(ctx, subject)
		if err != nil || !is || !sameReceipt(got, receipt) {
			s.Fatalf("Destroyed %s gives %+v, %v, %v; want %+v", name, got, is, err, receipt)
		}
		err = view.Scan(ctx, func(e crypto.Entry) error {
			if e.Subject == subject && (len(e.Wrapped) > 0 || e.State != crypto.EntryDestroyed) {
				return errors.New("it has key bytes")
			}
			return nil
		})
		if err != nil {
			s.Fatalf("Scan %s after Destroy: %v", name, err)
		}
	}
}

// stamped gives the entry as a store keeps it, with what the store says of its first append.
func stamped(e, by crypto.Entry) crypto.Entry {
	e.Born, e.Created, e.Life = by.Born, by.Created, by.Life
	return e
}

func sameEntry(a, b crypto.Entry) bool {
	return a.Subject == b.Subject && a.ID == b.ID && a.Version == b.Version && a.Life == b.Life && a.State == b.State && a.Generation == b.Generation &&
		bytes.Equal(a.Wrapped, b.Wrapped) && a.Born == b.Born && a.Created.Equal(b.Created)
}

func sameReceipt(a, b crypto.Receipt) bool {
	if len(a.Keys) != len(b.Keys) || len(a.Generations) != len(b.Generations) {
		return false
	}
	for i := range a.Keys {
		if a.Keys[i] != b.Keys[i] {
			return false
		}
	}
	for i := range a.Generations {
		if a.Generations[i] != b.Generations[i] {
			return false
		}
	}
	return a.Subject == b.Subject && a.Life == b.Life && a.Erasure == b.Erasure && a.Time.Equal(b.Time)
}

// patience bounds what the suite waits for.
const keyPatience = 30 * time.Second

func (s *keySuite) within() (context.Context, context.CancelFunc) {
	return context.WithTimeout(s.Context(), keyPatience)
}
