package mustertest

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/seed-3eec0498/muster/crypto"
)

func (s *keySuite) empty() {
	ctx, subject := s.Context(), suiteSubject(1)
	for name, view := range s.all() {
		_, err := view.Active(ctx, subject)
		s.wantFault("Active of an unknown subject "+name, err, crypto.ErrKeyMissing)
		_, err = view.Lookup(ctx, subject, crypto.KeyID{1})
		s.wantFault("Lookup of an unknown key "+name, err, crypto.ErrKeyMissing)
		if _, is, err := view.Destroyed(ctx, subject); is || err != nil {
			s.Fatalf("Destroyed of an unknown subject %s: %v, %v", name, is, err)
		}
		if err := view.Scan(ctx, func(crypto.Entry) error { return errors.New("there is an entry") }); err != nil {
			s.Fatalf("Scan of an empty store %s: %v", name, err)
		}
	}
}

func (s *keySuite) roundTrip() {
	e := suiteEntry(suiteSubject(1), 1, 1)
	held := s.put(s.Store, e)
	if held.Born <= 0 || held.Created.IsZero() || held.Life != 0 || !sameEntry(held, stamped(e, held)) {
		s.Fatalf("PutIfAbsent gives %+v for %+v", held, e)
	}
	s.wantHeld(held)
	s.wantActive(held)
	_, err := s.Store.Lookup(s.Context(), suiteSubject(2), e.ID)
	s.wantFault("Lookup of the key under another subject", err, crypto.ErrKeyMissing)
	_, err = s.Store.Lookup(s.Context(), e.Subject, crypto.KeyID{99})
	s.wantFault("Lookup of another key of the subject", err, crypto.ErrKeyMissing)
}

func (s *keySuite) firstHolds() {
	subject := suiteSubject(1)
	first := s.put(s.Store, suiteEntry(subject, 1, 1))
	for name, view := range s.all() {
		if got := s.put(view, suiteEntry(subject, 1, 2)); !sameEntry(got, first) {
			s.Fatalf("a second candidate %s is told %+v, want %+v", name, got, first)
		}
	}
	if got := s.put(s.Store, suiteEntry(subject, 1, 1)); !sameEntry(got, first) {
		s.Fatalf("the same candidate again is told %+v, want %+v", got, first)
	}
	s.wantActive(first)
}

func (s *keySuite) oneWinner() {
	const subjects, candidates = 4, 6
	views := []crypto.KeyStore{s.Store, s.Store}
	if s.Other != nil {
		views[1] = s.Other
	}
	told := make([][candidates]crypto.Entry, subjects)
	var all sync.WaitGroup
	for n := range subjects {
		for c := range candidates {
			all.Go(func() {
				var err error
				if told[n][c], err = views[c%2].PutIfAbsent(s.Context(), suiteEntry(suiteSubject(n), 1, c)); err != nil {
					s.Errorf("PutIfAbsent: %v", err)
				}
			})
		}
	}
	all.Wait()
	for n := range subjects {
		for c := range candidates {
			if !sameEntry(told[n][c], told[n][0]) {
				s.Fatalf("subject %d: candidates were told %+v and %+v", n, told[n][0], told[n][c])
			}
		}
		s.wantActive(told[n][0])
		s.wantHeld(told[n][0])
	}
}

func (s *keySuite) versions() {
	subject := suiteSubject(1)
	one := s.put(s.Store, suiteEntry(subject, 1, 1))
	two := s.put(s.Store, suiteEntry(subject, 2, 2))
	s.wantActive(two)
	one.State = crypto.EntryReadOnly
	s.replace(s.Store, one)
	s.wantHeld(one)
	s.wantActive(two)
	two.State = crypto.EntryReadOnly
	s.replace(s.Store, two)
	_, err := s.Store.Active(s.Context(), subject)
	s.wantFault("Active where all keys only open", err, crypto.ErrKeyMissing)
}

func (s *keySuite) replaceForward() {
	e := s.put(s.Store, suiteEntry(suiteSubject(1), 1, 1))
	stale := e // what another process has read
	e.Generation, e.Wrapped = 4, []byte("under generation 4")
	s.replace(s.Store, e)
	s.wantHeld(e)
	stale.State = crypto.EntryReadOnly
	s.replace(s.Store, stale)
	e.State = crypto.EntryReadOnly
	s.wantHeld(e) // the state went on, the wrapping did not go back
	e.State = crypto.EntryActive
	e.Generation, e.Wrapped = 5, []byte("under generation 5")
	s.replace(s.Store, e)
	e.State = crypto.EntryReadOnly
	s.wantHeld(e)
}

func (s *keySuite) replaceNeeds() {
	ctx := s.Context()
	s.wantFault("Replace in an empty store", s.Store.Replace(ctx, suiteEntry(suiteSubject(1), 1, 1)), crypto.ErrKeyMissing)
	e := s.put(s.Store, suiteEntry(suiteSubject(1), 1, 1))
	s.wantFault("Replace of another key", s.Store.Replace(ctx, suiteEntry(e.Subject, 1, 2)), crypto.ErrKeyMissing)
	for what, change := range map[string]func(*crypto.Entry){
		"another version": func(e *crypto.Entry) { e.Version++ }, "another life": func(e *crypto.Entry) { e.Life++ }, "another birth": func(e *crypto.Entry) { e.Born++ },
	} {
		other := e
		change(&other)
		other.Wrapped = []byte("wrong")
		if err := s.Store.Replace(ctx, other); err == nil {
			s.Fatalf("an entry was replaced by one of %s", what)
		}
	}
	s.wantHeld(e)
}

func (s *keySuite) destroyOne() {
	subject := suiteSubject(1)
	one, two := s.put(s.Store, suiteEntry(subject, 1, 1)), s.put(s.Store, suiteEntry(subject, 2, 2))
	stale := one
	one.State, one.Wrapped = crypto.EntryDestroyed, nil
	s.replace(s.Store, one)
	stale.Generation++
	s.wantFault("Replace of a destroyed key", s.Store.Replace(s.Context(), stale), crypto.ErrShredded)
	for name, view := range s.all() {
		_, err := view.Lookup(s.Context(), subject, one.ID)
		s.wantFault("Lookup of a destroyed key "+name, err, crypto.ErrShredded)
		if _, is, err := view.Destroyed(s.Context(), subject); is || err != nil {
			s.Fatalf("the subject is destroyed with one of its keys %s: %v, %v", name, is, err)
		}
		if held := s.put(view, suiteEntry(subject, 2, 9)); !sameEntry(held, two) {
			s.Fatalf("version 2 %s is %+v, want %+v", name, held, two)
		}
		_, err = view.PutIfAbsent(s.Context(), suiteEntry(subject, 1, 8))
		s.wantFault("PutIfAbsent of a version whose key is destroyed "+name, err, crypto.ErrShredded)
	}
	s.wantActive(two)
	s.wantHeld(two)
}

func (s *keySuite) destroy() {
	subject := suiteSubject(1)
	one, two := s.put(s.Store, suiteEntry(subject, 1, 1)), s.put(s.Store, suiteEntry(subject, 2, 2))
	receipt := s.end(s.Store, subject, "erasure-1")
	if receipt.Subject != subject || receipt.Life != 0 || receipt.Erasure != "erasure-1" || receipt.Time.IsZero() {
		s.Fatalf("the receipt is %+v", receipt)
	}
	s.wantDestroyed(receipt, subject, one.ID, two.ID)
	for name, view := range s.all() {
		for _, erasure := range []string{"erasure-1", "erasure-2"} {
			if again := s.end(view, subject, erasure); !sameReceipt(again, receipt) {
				s.Fatalf("Destroy again %s gives %+v, want %+v", name, again, receipt)
			}
		}
	}
	two.Generation++
	s.wantFault("Replace of a destroyed key", s.Store.Replace(s.Context(), two), crypto.ErrShredded)
	s.wantDestroyed(receipt, subject, one.ID, two.ID)
}

func (s *keySuite) destroyNone() {
	receipt := s.end(s.Store, suiteSubject(1), "erasure-1")
	if len(receipt.Keys) != 0 || len(receipt.Generations) != 0 {
		s.Fatalf("the receipt of nothing is %+v", receipt)
	}
	s.wantDestroyed(receipt, suiteSubject(1))
}

func (s *keySuite) receipt() {
	subject := suiteSubject(1)
	one := s.put(s.Store, suiteEntry(subject, 1, 1))
	two := suiteEntry(subject, 2, 2)
	two.Generation = 6
	two = s.put(s.Store, two)
	one.Generation, one.Wrapped = 4, []byte("again")
	s.replace(s.Store, one)
	receipt := s.end(s.Store, subject, "erasure-1")
	for _, id := range []crypto.KeyID{one.ID, two.ID} {
		if !slices.Contains(receipt.Keys, id) {
			s.Fatalf("the receipt %+v does not name key %x", receipt, id)
		}
	}
	if len(receipt.Keys) != 2 || !slices.Equal(receipt.Generations, []uint32{3, 4, 6}) {
		s.Fatalf("the receipt is %+v; want 2 keys, and generations 3 and 4 that wrapped one, and 6 that wrapped the other", receipt)
	}
}

func (s *keySuite) apart() {
	kept := s.put(s.Store, suiteEntry(suiteSubject(2), 1, 1))
	gone := s.put(s.Store, suiteEntry(suiteSubject(1), 1, 1))
	receipt := s.end(s.Store, suiteSubject(1), "erasure-1")
	s.wantDestroyed(receipt, gone.Subject, gone.ID)
	s.wantHeld(kept)
	s.wantActive(kept)
}

// createAgainstDestroy has creators and a destroyer race: whoever comes first, afterwards nothing can be had, and nothing had got a key after that.
func (s *keySuite) createAgainstDestroy() {
	s.race(func(ctx context.Context, view crypto.KeyStore, subject crypto.SubjectRef, n int) error {
		_, err := view.PutIfAbsent(ctx, suiteEntry(subject, uint32(1+n%2), n))
		return err
	})
}

func (s *keySuite) rewrapAgainstDestroy() {
	s.race(func(ctx context.Context, view crypto.KeyStore, subject crypto.SubjectRef, n int) error {
		e, err := view.Active(ctx, subject)
		if err != nil {
			return err
		}
		e.Generation, e.Wrapped = uint32(4+n), []byte{byte(n), 1}
		return view.Replace(ctx, e)
	})
}

// race runs acts of several processes beside a destruction, which must win in the end.
func (s *keySuite) race(act func(ctx context.Context, view crypto.KeyStore, subject crypto.SubjectRef, n int) error) {
	views := []crypto.KeyStore{s.Store, s.Store}
	if s.Other != nil {
		views[1] = s.Other
	}
	for round := range 4 {
		subject := suiteSubject(round)
		held := s.put(s.Store, suiteEntry(subject, 1, 50))
		var all sync.WaitGroup
		for n := range 6 {
			all.Go(func() {
				if err := act(s.Context(), views[n%2], subject, n); err != nil && !errors.Is(err, crypto.ErrShredded) {
					s.Errorf("beside a destruction: %v", err)
				}
			})
		}
		all.Go(func() {
			if _, err := views[round%2].Destroy(s.Context(), subject, "erasure"); err != nil {
				s.Errorf("Destroy: %v", err)
			}
		})
		all.Wait()
		receipt, is, err := s.Store.Destroyed(s.Context(), subject)
		if err != nil || !is {
			s.Fatalf("Destroyed after Destroy: %v, %v", is, err)
		}
		s.wantDestroyed(receipt, subject, held.ID)
	}
}
