package mustertest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed-3eec0498/muster/crypto"
)

// KeyStoreMachine holds an implementation of [crypto.KeyStore] against a model: creations, re-wraps, destructions, new lives, restarts, cuts and
// compactions in random order, by two processes where the fixture has them. What fails is made small, and told with the seed that repeats it. All
// runs share one store, each with subjects of its own.
func KeyStoreMachine(t *testing.T, open func(t testing.TB) KeyStoreFixture) {
	t.Helper()
	fixture := open(t)
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		m := &keyMachine{T: rt, outer: t, fixture: &fixture, model: map[crypto.SubjectRef]*modelSubject{}}
		for n := range 3 {
			m.subjects = append(m.subjects, suiteSubject(1000+3*runs+n))
		}
		runs++
		m.follow()
		defer m.unfollow()
		steps := fixture.Steps
		if steps == 0 {
			steps = 40
		}
		for range rapid.IntRange(1, steps).Draw(rt, "steps") {
			m.step()
		}
		for _, subject := range m.subjects {
			m.check(subject)
		}
	})
}

type keyMachine struct {
	*rapid.T
	outer    *testing.T
	fixture  *KeyStoreFixture
	subjects []crypto.SubjectRef
	model    map[crypto.SubjectRef]*modelSubject
	made     int

	told   chan crypto.KeyChange // what the watch tells
	ended  chan error
	cancel context.CancelFunc
}

// modelSubject is what a store has to say of a subject.
type modelSubject struct {
	life  uint32
	ended map[uint32]crypto.Receipt
	keys  []crypto.Entry // of all lives
}

func (m *keyMachine) step() {
	subject := rapid.SampledFrom(m.subjects).Draw(m.T, "subject")
	view, own := m.view(), m.model[subject]
	if own == nil {
		own = &modelSubject{ended: map[uint32]crypto.Receipt{}}
		m.model[subject] = own
	}
	switch act := rapid.SampledFrom([]string{"put", "put", "replace", "replace", "destroy", "reinstate", "check", "restart", "cut", "compact"}).Draw(m.T, "act"); act {
	case "put":
		m.put(view, subject, own)
	case "replace":
		m.replace(view, subject, own)
	case "destroy":
		m.destroy(view, subject, own)
	case "reinstate":
		wanted := own.life + rapid.SampledFrom([]uint32{1, 1, 0, 2}).Draw(m.T, "life")
		life, err := view.Reinstate(m.outer.Context(), subject, wanted)
		if own.over() && wanted == own.life+1 {
			own.life++
		}
		if err != nil || life != own.life {
			m.Fatalf("Reinstate to life %d gives life %d, %v; want %d", wanted, life, err, own.life)
		}
	case "check":
		m.check(subject)
	case "restart":
		if m.fixture.Restart != nil {
			m.unfollow()
			m.fixture.Store = m.fixture.Restart(m.outer)
			m.follow()
		}
	case "cut":
		if m.fixture.Cut != nil {
			m.fixture.Cut(m.outer)
			if err := <-m.ended; err == nil {
				m.Fatalf("a watch that was cut gives no error")
			}
			m.cancel()
			m.follow()
		}
	case "compact":
		if m.fixture.Compact != nil {
			m.fixture.Compact(m.outer)
		}
	}
}

// view gives one of the processes.
func (m *keyMachine) view() crypto.KeyStore {
	if m.fixture.Other != nil && rapid.Bool().Draw(m.T, "by another process") {
		return m.fixture.Other
	}
	return m.fixture.Store
}

func (s *modelSubject) over() bool {
	_, over := s.ended[s.life]
	return over
}

func (s *modelSubject) holder(version uint32) *crypto.Entry {
	for i := range s.keys {
		if s.keys[i].Life == s.life && s.keys[i].Version == version {
			return &s.keys[i]
		}
	}
	return nil
}

func (m *keyMachine) put(view crypto.KeyStore, subject crypto.SubjectRef, own *modelSubject) {
	m.made++
	e := suiteEntry(subject, rapid.Uint32Range(1, 3).Draw(m.T, "version"), m.made)
	e.Generation = rapid.Uint32Range(1, 5).Draw(m.T, "generation")
	held, err := view.PutIfAbsent(m.outer.Context(), e)
	before := own.holder(e.Version)
	switch {
	case own.over() || before != nil && before.State == crypto.EntryDestroyed:
		m.shredded("PutIfAbsent", err)
	case err != nil:
		m.Fatalf("PutIfAbsent: %v", err)
	case before != nil && !sameEntry(held, *before):
		m.Fatalf("PutIfAbsent gives %+v although %+v holds", held, *before)
	case before == nil:
		want := stamped(e, held)
		want.Life = own.life
		if !sameEntry(held, want) || held.Born <= 0 {
			m.Fatalf("PutIfAbsent gives %+v for %+v in life %d", held, e, own.life)
		}
		own.keys = append(own.keys, held)
	}
}

func (m *keyMachine) replace(view crypto.KeyStore, subject crypto.SubjectRef, own *modelSubject) {
	if len(own.keys) == 0 {
		err := view.Replace(m.outer.Context(), suiteEntry(subject, 1, 1))
		if !errors.Is(err, crypto.ErrKeyMissing) {
			m.Fatalf("Replace of nothing gives %v", err)
		}
		return
	}
	held := &own.keys[rapid.IntRange(0, len(own.keys)-1).Draw(m.T, "key")]
	next := *held
	next.State = rapid.SampledFrom([]crypto.EntryState{crypto.EntryActive, crypto.EntryReadOnly, crypto.EntryReadOnly, crypto.EntryDestroyed}).Draw(m.T, "state")
	next.Generation = rapid.Uint32Range(1, 5).Draw(m.T, "generation")
	next.Wrapped = fmt.Append(nil, "wrapped under ", next.Generation)
	if next.State == crypto.EntryDestroyed {
		next.Wrapped = nil
	}
	err := view.Replace(m.outer.Context(), next)
	if held.State == crypto.EntryDestroyed {
		m.shredded("Replace", err)
		return
	}
	if err != nil {
		m.Fatalf("Replace: %v", err)
	}
	held.State = max(held.State, next.State)
	if held.State == crypto.EntryDestroyed {
		held.Wrapped = nil
	} else if next.Generation >= held.Generation {
		held.Generation, held.Wrapped = next.Generation, next.Wrapped
	}
}

func (m *keyMachine) destroy(view crypto.KeyStore, subject crypto.SubjectRef, own *modelSubject) {
	erasure := rapid.SampledFrom([]string{"one", "two", "three", "four"}).Draw(m.T, "erasure")
	receipt, err := view.Destroy(m.outer.Context(), subject, erasure)
	if err != nil {
		m.Fatalf("Destroy: %v", err)
	}
	for _, before := range own.ended {
		if before.Erasure == erasure {
			if !sameReceipt(receipt, before) {
				m.Fatalf("Destroy for an erasure of life %d gives %+v, want %+v", before.Life, receipt, before)
			}
			return
		}
	}
	if own.over() {
		if !sameReceipt(receipt, own.ended[own.life]) {
			m.Fatalf("Destroy again gives %+v, want %+v", receipt, own.ended[own.life])
		}
		return
	}
	keys := 0
	for i := range own.keys {
		if own.keys[i].Life == own.life {
			own.keys[i].State, own.keys[i].Wrapped = crypto.EntryDestroyed, nil
			keys++
		}
	}
	if receipt.Life != own.life || receipt.Erasure != erasure || len(receipt.Keys) != keys {
		m.Fatalf("Destroy of life %d with %d keys gives %+v", own.life, keys, receipt)
	}
	own.ended[own.life] = receipt
	m.hear(receipt)
}

// check compares all that can be read of a subject with the model, in every view.
func (m *keyMachine) check(subject crypto.SubjectRef) {
	own := m.model[subject]
	if own == nil {
		own = &modelSubject{}
	}
	views := []crypto.KeyStore{m.fixture.Store}
	if m.fixture.Other != nil {
		views = append(views, m.fixture.Other)
	}
	for _, view := range views {
		receipt, over, err := view.Destroyed(m.outer.Context(), subject)
		if err != nil || over != own.over() || over && !sameReceipt(receipt, own.ended[own.life]) {
			m.Fatalf("Destroyed gives %+v, %v, %v; want %+v", receipt, over, err, own.ended[own.life])
		}
		for _, want := range own.keys {
			got, err := view.Lookup(m.outer.Context(), subject, want.ID)
			if want.State == crypto.EntryDestroyed {
				m.shredded("Lookup", err)
			} else if err != nil || !sameEntry(got, want) {
				m.Fatalf("Lookup gives %+v, %v; want %+v", got, err, want)
			}
		}
		m.checkActive(view, subject, own)
	}
}

func (m *keyMachine) checkActive(view crypto.KeyStore, subject crypto.SubjectRef, own *modelSubject) {
	got, err := view.Active(m.outer.Context(), subject)
	if own.over() {
		m.shredded("Active", err)
		return
	}
	for version := uint32(3); version > 0; version-- {
		switch held := own.holder(version); {
		case held == nil || held.State == crypto.EntryReadOnly:
			continue
		case held.State == crypto.EntryDestroyed:
			m.shredded("Active", err)
		case err != nil || !sameEntry(got, *held):
			m.Fatalf("Active gives %+v, %v; want %+v", got, err, *held)
		}
		return
	}
	if !errors.Is(err, crypto.ErrKeyMissing) || errors.Is(err, crypto.ErrShredded) {
		m.Fatalf("Active gives %+v, %v; want ErrKeyMissing", got, err)
	}
}

func (m *keyMachine) shredded(what string, err error) {
	m.Helper()
	if !errors.Is(err, crypto.ErrShredded) || errors.Is(err, crypto.ErrKeyMissing) || errors.Is(err, crypto.ErrKeyUnavailable) {
		m.Fatalf("%s of what is destroyed gives %v", what, err)
	}
}

// follow watches the store.
func (m *keyMachine) follow() {
	ctx, cancel := context.WithCancel(m.outer.Context())
	m.told, m.ended, m.cancel = make(chan crypto.KeyChange, 10_000), make(chan error, 1), cancel
	ready, store, told, ended := make(chan struct{}), m.fixture.Store, m.told, m.ended
	go func() { ended <- store.Watch(ctx, func() { close(ready) }, func(c crypto.KeyChange) { told <- c }) }()
	select {
	case <-ready:
	case err := <-m.ended:
		m.Fatalf("Watch: %v", err)
	}
}

func (m *keyMachine) unfollow() {
	m.cancel()
	if err := <-m.ended; err == nil {
		m.Errorf("a watch that ends with its context gives no error")
	}
}

// hear waits until the watch has told a destruction.
func (m *keyMachine) hear(receipt crypto.Receipt) {
	ctx, cancel := context.WithTimeout(m.outer.Context(), keyPatience)
	defer cancel()
	for {
		select {
		case c := <-m.told:
			if c.Destroy != nil && sameReceipt(*c.Destroy, receipt) {
				return
			}
		case err := <-m.ended:
			m.Fatalf("the watch has ended: %v", err)
		case <-ctx.Done():
			m.Fatalf("nobody is told of %+v", receipt)
		}
	}
}
