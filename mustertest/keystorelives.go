package mustertest

import (
	"context"
	"errors"

	"github.com/seed-3eec0498/muster/crypto"
)

func (s *keySuite) life(store crypto.KeyStore, subject crypto.SubjectRef, wanted uint32) uint32 {
	s.Helper()
	life, err := store.Reinstate(s.Context(), subject, wanted)
	if err != nil {
		s.Fatalf("Reinstate: %v", err)
	}
	return life
}

func (s *keySuite) reinstate() {
	subject := suiteSubject(1)
	if life := s.life(s.Store, subject, 1); life != 0 {
		s.Fatalf("Reinstate of an unknown subject gives life %d", life)
	}
	old := s.put(s.Store, suiteEntry(subject, 1, 1))
	if life := s.life(s.Store, subject, 1); life != 0 {
		s.Fatalf("Reinstate of a subject that is not destroyed gives life %d", life)
	}
	s.wantActive(old)
	s.end(s.Store, subject, "erasure-1")
	for name, view := range s.all() {
		if life := s.life(view, subject, 1); life != 1 {
			s.Fatalf("Reinstate %s gives life %d, want 1", name, life)
		}
		if _, is, err := view.Destroyed(s.Context(), subject); is || err != nil {
			s.Fatalf("a reinstated subject is destroyed %s: %v, %v", name, is, err)
		}
		_, err := view.Active(s.Context(), subject)
		s.wantFault("Active in a new life "+name, err, crypto.ErrKeyMissing)
		_, err = view.Lookup(s.Context(), subject, old.ID)
		s.wantFault("Lookup of a key of the old life "+name, err, crypto.ErrShredded)
	}
	young := s.put(s.Store, suiteEntry(subject, 1, 2)) // who makes it need not know the life
	if young.Life != 1 {
		s.Fatalf("a key of the new life is %+v", young)
	}
	s.wantActive(young)
	receipt := s.end(s.Store, subject, "erasure-2")
	if receipt.Life != 1 || len(receipt.Keys) != 1 || receipt.Keys[0] != young.ID {
		s.Fatalf("the receipt of the second life is %+v", receipt)
	}
	for name, view := range s.all() { // who wanted the second one and is late
		if life := s.life(view, subject, 1); life != 1 {
			s.Fatalf("Reinstate in a life that has ended, too, gives life %d %s, want 1", life, name)
		}
	}
	s.wantDestroyed(receipt, subject, old.ID, young.ID)
}

// toldAgain replays a ledger of erasures into a store that knows them already.
func (s *keySuite) toldAgain() {
	subject := suiteSubject(1)
	s.put(s.Store, suiteEntry(subject, 1, 1))
	first := s.end(s.Store, subject, "erasure-1")
	s.life(s.Store, subject, 1)
	young := s.put(s.Store, suiteEntry(subject, 1, 2))
	for name, view := range s.all() {
		if again := s.end(view, subject, "erasure-1"); !sameReceipt(again, first) {
			s.Fatalf("the first erasure again %s gives %+v, want %+v", name, again, first)
		}
	}
	s.wantActive(young)
}

func (s *keySuite) watch() {
	ctx, cancel := s.within()
	defer cancel()
	before := s.put(s.Store, suiteEntry(suiteSubject(7), 1, 7))
	seen, ended, ready := make(chan crypto.KeyChange, 100), make(chan error, 1), make(chan struct{})
	watched := s.Store
	if s.Other != nil {
		watched = s.Other
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		ended <- watched.Watch(watching, func() { close(ready) }, func(c crypto.KeyChange) { seen <- c })
	}()
	select {
	case <-ready:
	case err := <-ended:
		s.Fatalf("Watch: %v", err)
	}
	// next waits for a change that is wanted. Changes may be told again, but those of a subject not in another order.
	next := func(what string, wanted func(c crypto.KeyChange) bool) {
		s.Helper()
		for {
			select {
			case c := <-seen:
				if c.Destroy == nil && c.Entry.Subject == before.Subject {
					s.Fatalf("a change from before ready is told: %+v", c)
				}
				if wanted(c) {
					return
				}
			case err := <-ended:
				s.Fatalf("%s: the watch has ended: %v", what, err)
			case <-ctx.Done():
				s.Fatalf("%s is not told", what)
			}
		}
	}
	subject := suiteSubject(1)
	e := s.put(s.Store, suiteEntry(subject, 1, 1))
	next("a new entry", func(c crypto.KeyChange) bool { return c.Destroy == nil && sameEntry(c.Entry, e) })
	e.Generation, e.Wrapped = 4, []byte("again")
	s.replace(s.Store, e)
	next("a replaced entry", func(c crypto.KeyChange) bool { return c.Destroy == nil && sameEntry(c.Entry, e) })
	two := s.put(s.Store, suiteEntry(suiteSubject(2), 1, 2))
	receipt := s.end(s.Store, subject, "erasure-1")
	made, destroyed := false, false // two subjects may lie in two partitions: they have no order between them
	next("an entry and the destruction of another subject", func(c crypto.KeyChange) bool {
		made = made || c.Destroy == nil && sameEntry(c.Entry, two)
		destroyed = destroyed || c.Destroy != nil && sameReceipt(*c.Destroy, receipt)
		return made && destroyed
	})
	stop()
	if err := <-ended; err == nil {
		s.Fatal("a watch that ends with its context gives no error")
	}
}

func (s *keySuite) watchCut() {
	if s.Cut == nil {
		return // nothing can break
	}
	ctx, cancel := s.within()
	defer cancel()
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- s.Store.Watch(ctx, func() { close(ready) }, func(crypto.KeyChange) {}) }()
	select {
	case <-ready:
	case err := <-ended:
		s.Fatalf("Watch: %v", err)
	}
	s.Cut(s.T)
	err := <-ended
	if ctx.Err() != nil {
		s.Fatal("a watch goes on although it was cut")
	}
	s.wantFault("a watch that was cut", err, crypto.ErrKeyUnavailable)
}

func (s *keySuite) scan() {
	const count = 40
	want := map[crypto.KeyID]crypto.Entry{}
	for n := range count {
		e := s.put(s.Store, suiteEntry(suiteSubject(n), 1, n))
		want[e.ID] = e
	}
	for name, view := range s.all() {
		got := map[crypto.KeyID]crypto.Entry{}
		if _, err := view.Lookup(s.Context(), suiteSubject(count-1), suiteEntry(suiteSubject(count-1), 1, count-1).ID); err != nil {
			s.Fatal(err)
		}
		if err := view.Scan(s.Context(), func(e crypto.Entry) error {
			got[e.ID] = e
			return nil
		}); err != nil {
			s.Fatalf("Scan %s: %v", name, err)
		}
		if len(got) != count {
			s.Fatalf("Scan %s gives %d entries, want %d", name, len(got), count)
		}
		for id, e := range want {
			if !sameEntry(got[id], e) {
				s.Fatalf("Scan %s gives %+v, want %+v", name, got[id], e)
			}
		}
		enough, calls := errors.New("enough"), 0
		err := view.Scan(s.Context(), func(crypto.Entry) error { calls++; return enough })
		if !errors.Is(err, enough) || calls != 1 {
			s.Fatalf("Scan %s goes on for %d calls after an error, and gives %v", name, calls, err)
		}
	}
}

func (s *keySuite) restart() {
	if s.Restart == nil {
		return // the store ends with its process
	}
	kept := s.put(s.Store, suiteEntry(suiteSubject(1), 1, 1))
	moved := s.put(s.Store, suiteEntry(suiteSubject(2), 1, 2))
	moved.Generation, moved.Wrapped = 4, []byte("again")
	s.replace(s.Store, moved)
	gone := s.put(s.Store, suiteEntry(suiteSubject(3), 1, 3))
	receipt := s.end(s.Store, gone.Subject, "erasure-1")
	again := s.put(s.Store, suiteEntry(suiteSubject(4), 1, 4))
	s.end(s.Store, again.Subject, "erasure-2")
	s.life(s.Store, again.Subject, 1)
	s.Store = s.Restart(s.T)
	s.wantActive(kept)
	s.wantHeld(moved)
	s.wantDestroyed(receipt, gone.Subject, gone.ID)
	_, err := s.Store.Lookup(s.Context(), again.Subject, again.ID)
	s.wantFault("Lookup of a key of an old life after a restart", err, crypto.ErrShredded)
	if young := s.put(s.Store, suiteEntry(again.Subject, 1, 5)); young.Life != 1 {
		s.Fatalf("a key of the new life after a restart is %+v", young)
	}
}

func (s *keySuite) memory() {
	e := suiteEntry(suiteSubject(1), 1, 1)
	given := e
	given.Wrapped = append([]byte(nil), e.Wrapped...)
	held := s.put(s.Store, given)
	want := stamped(e, held)
	given.Wrapped[0] ^= 1
	held.Wrapped[1] ^= 1
	s.wantHeld(want)
	got, err := s.Store.Lookup(s.Context(), e.Subject, e.ID)
	if err != nil {
		s.Fatal(err)
	}
	got.Wrapped[2] ^= 1
	s.wantHeld(want)
}

func (s *keySuite) ended() {
	held := s.put(s.Store, suiteEntry(suiteSubject(1), 1, 1))
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	_, err := s.Store.PutIfAbsent(ctx, suiteEntry(suiteSubject(2), 1, 1))
	s.wantFault("PutIfAbsent with an ended context", err, crypto.ErrKeyUnavailable)
	_, err = s.Store.Destroy(ctx, suiteSubject(1), "erasure-1")
	s.wantFault("Destroy with an ended context", err, crypto.ErrKeyUnavailable)
	s.wantFault("Replace with an ended context", s.Store.Replace(ctx, held), crypto.ErrKeyUnavailable)
	if _, err := s.Store.Lookup(ctx, held.Subject, crypto.KeyID{99}); !errors.Is(err, crypto.ErrKeyMissing) { // a store may answer from memory
		s.wantFault("Lookup with an ended context", err, crypto.ErrKeyUnavailable)
	}
}

func (s *keySuite) refused() {
	ctx := s.Context()
	for what, change := range map[string]func(*crypto.Entry){
		"without a version":   func(e *crypto.Entry) { e.Version = 0 },
		"without a state":     func(e *crypto.Entry) { e.State = 0 },
		"that is destroyed":   func(e *crypto.Entry) { e.State = crypto.EntryDestroyed },
		"without a key":       func(e *crypto.Entry) { e.Wrapped = nil },
		"with a negative age": func(e *crypto.Entry) { e.Born = -1 },
	} {
		e := suiteEntry(suiteSubject(1), 1, 1)
		change(&e)
		if _, err := s.Store.PutIfAbsent(ctx, e); err == nil {
			s.Fatalf("an entry %s was stored", what)
		}
	}
	if _, err := s.Store.Destroy(ctx, suiteSubject(1), ""); err == nil {
		s.Fatal("a subject was destroyed without an erasure id")
	}
	s.empty()
}
