package crypto_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster/crypto"
)

// codecStore is a key store in memory for the tests of the codec, with faults to be switched on.
type codecStore struct {
	asked atomic.Int64          // Active and Lookup
	fail  atomic.Pointer[error] // what every call but Watch gives

	mu       sync.Mutex // guards the rest
	entries  map[crypto.SubjectRef][]crypto.Entry
	receipts map[crypto.SubjectRef]crypto.Receipt
	watchers map[int]*codecWatcher
	next     int
	during   func() // called by Active and Lookup, once, after they have read
}

type codecWatcher struct {
	f   func(crypto.KeyChange)
	cut chan struct{}
}

func newCodecStore() *codecStore {
	return &codecStore{entries: map[crypto.SubjectRef][]crypto.Entry{}, receipts: map[crypto.SubjectRef]crypto.Receipt{}, watchers: map[int]*codecWatcher{}}
}

func (s *codecStore) failing(err error) { s.fail.Store(&err) }

func (s *codecStore) fault() error {
	if err := s.fail.Load(); err != nil {
		return *err
	}
	return nil
}

func (s *codecStore) read(f func() (crypto.Entry, error)) (crypto.Entry, error) {
	s.asked.Add(1)
	if err := s.fault(); err != nil {
		return crypto.Entry{}, err
	}
	s.mu.Lock()
	e, err := f()
	during := s.during
	s.during = nil
	s.mu.Unlock()
	if during != nil {
		during()
	}
	return e, err
}

func (s *codecStore) Active(_ context.Context, subject crypto.SubjectRef) (crypto.Entry, error) {
	return s.read(func() (crypto.Entry, error) {
		if _, dead := s.receipts[subject]; dead {
			return crypto.Entry{}, crypto.ErrShredded
		}
		for _, e := range s.entries[subject] {
			if e.State == crypto.EntryActive {
				return e, nil
			}
		}
		return crypto.Entry{}, crypto.ErrKeyMissing
	})
}

func (s *codecStore) Lookup(_ context.Context, subject crypto.SubjectRef, id crypto.KeyID) (crypto.Entry, error) {
	return s.read(func() (crypto.Entry, error) {
		if _, dead := s.receipts[subject]; dead {
			return crypto.Entry{}, crypto.ErrShredded
		}
		for _, e := range s.entries[subject] {
			if e.ID == id {
				return e, nil
			}
		}
		return crypto.Entry{}, crypto.ErrKeyMissing
	})
}

func (s *codecStore) PutIfAbsent(_ context.Context, e crypto.Entry) (crypto.Entry, error) {
	if err := s.fault(); err != nil {
		return crypto.Entry{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, dead := s.receipts[e.Subject]; dead {
		return crypto.Entry{}, crypto.ErrShredded
	}
	for _, have := range s.entries[e.Subject] {
		if have.Version == e.Version && have.Life == e.Life {
			return have, nil
		}
	}
	s.entries[e.Subject] = append(s.entries[e.Subject], e)
	s.tellLocked(crypto.KeyChange{Entry: e})
	return e, nil
}

func (s *codecStore) Replace(_ context.Context, e crypto.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, have := range s.entries[e.Subject] {
		if have.ID == e.ID {
			s.entries[e.Subject][i] = e
			s.tellLocked(crypto.KeyChange{Entry: e})
		}
	}
	return nil
}

func (s *codecStore) Destroy(_ context.Context, subject crypto.SubjectRef, erasure string) (crypto.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	receipt := crypto.Receipt{Subject: subject, Erasure: erasure, Time: time.Now()}
	for _, e := range s.entries[subject] {
		receipt.Keys = append(receipt.Keys, e.ID)
	}
	s.receipts[subject] = receipt
	s.tellLocked(crypto.KeyChange{Destroy: &receipt})
	return receipt, nil
}

func (s *codecStore) Destroyed(_ context.Context, subject crypto.SubjectRef) (crypto.Receipt, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, dead := s.receipts[subject]
	return r, dead, nil
}

func (*codecStore) Reinstate(context.Context, crypto.SubjectRef, uint32) (uint32, error) {
	return 0, crypto.ErrKeyUnavailable
}

func (s *codecStore) Watch(ctx context.Context, ready func(), f func(crypto.KeyChange)) error {
	w := &codecWatcher{f: f, cut: make(chan struct{})}
	s.mu.Lock()
	s.next++
	number := s.next
	s.watchers[number] = w
	s.mu.Unlock()
	ready()
	defer func() {
		s.mu.Lock()
		delete(s.watchers, number)
		s.mu.Unlock()
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-w.cut:
		return crypto.ErrKeyUnavailable
	}
}

func (s *codecStore) tellLocked(c crypto.KeyChange) {
	for _, w := range s.watchers {
		w.f(c)
	}
}

func (s *codecStore) Scan(_ context.Context, f func(crypto.Entry) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, all := range s.entries {
		for _, e := range all {
			if err := f(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// codecKMS masks keys with what it makes of generation and aad, which is enough for a test.
type codecKMS struct {
	fail    atomic.Pointer[error]
	unwraps atomic.Int64
}

func (k *codecKMS) mask(generation uint32, key, aad []byte) []byte {
	sum := sha256.Sum256(binary.BigEndian.AppendUint32(append([]byte("test"), aad...), generation))
	out := make([]byte, len(key))
	for i := range key {
		out[i] = key[i] ^ sum[i%len(sum)]
	}
	return out
}

func (k *codecKMS) Wrap(_ context.Context, generation uint32, key, aad []byte) ([]byte, error) {
	if err := k.fail.Load(); err != nil {
		return nil, *err
	}
	return k.mask(generation, key, aad), nil
}

func (k *codecKMS) Unwrap(_ context.Context, generation uint32, wrapped, aad []byte) ([]byte, error) {
	k.unwraps.Add(1)
	if err := k.fail.Load(); err != nil {
		return nil, *err
	}
	return k.mask(generation, wrapped, aad), nil
}

func (*codecKMS) DestroyGeneration(context.Context, uint32) error { return nil }

// cut ends all watches.
func (s *codecStore) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.watchers {
		close(w.cut)
	}
	clear(s.watchers)
}

func (s *codecStore) destroy(t *testing.T, subject crypto.SubjectRef) {
	t.Helper()
	if _, err := s.Destroy(t.Context(), subject, "e1"); err != nil {
		t.Fatal(err)
	}
}

func (s *codecStore) copyFrom(other *codecStore) {
	other.mu.Lock()
	defer other.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.Copy(s.entries, other.entries)
}

// swapWrapped puts each subject's wrapped key under the other's id.
func (s *codecStore) swapWrapped(a, b crypto.SubjectRef) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries[a][0].Wrapped, s.entries[b][0].Wrapped = s.entries[b][0].Wrapped, s.entries[a][0].Wrapped
}

// retire makes a subject's key read-only.
func (s *codecStore) retire(t *testing.T, subject crypto.SubjectRef) {
	s.mu.Lock()
	e := s.entries[subject][0]
	s.mu.Unlock()
	e.State = crypto.EntryReadOnly
	if err := s.Replace(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

func failingKMS(err error) *codecKMS {
	k := &codecKMS{}
	k.fail.Store(&err)
	return k
}

func (s *codecStore) copyKEKs(other *codecStore) {
	other.mu.Lock()
	defer other.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	kek := crypto.KEKSubject("acme")
	s.entries[kek] = other.entries[kek]
}
