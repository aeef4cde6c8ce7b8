package crypto

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// shelf is a bounded map of values by key. When it is full, what was not asked for since the hand last came by goes. Readers take no lock: they walk the
// chain of slots with equal hashes, which a writer changes by one pointer at a time, and a slot that was taken out still leads to those behind it.
type shelf[K comparable, V any] struct {
	size   int
	drop   func(*V)      // told of what goes, before it does; nil: nobody is
	used   func(*V) bool // tells whether a value was used by who did not ask the shelf for it, since it was asked last; nil: none is
	chains []atomic.Pointer[slot[K, V]]

	mu   sync.Mutex    // held by who writes
	ring []*slot[K, V] // guarded by mu, as hand is
	hand int
}

type slot[K comparable, V any] struct {
	key   K
	hash  uint64
	value atomic.Pointer[V]
	used  atomic.Bool
	next  atomic.Pointer[slot[K, V]]
}

// newShelf makes room for so many values, two chained to each other on average when it is full.
func newShelf[K comparable, V any](size int, drop func(*V), used func(*V) bool) *shelf[K, V] {
	size = max(size, 1)
	return &shelf[K, V]{size: size, drop: drop, used: used, chains: make([]atomic.Pointer[slot[K, V]], 1<<bits.Len(uint(size)/2))}
}

func (s *shelf[K, V]) chain(hash uint64) *atomic.Pointer[slot[K, V]] {
	return &s.chains[hash&uint64(len(s.chains)-1)]
}

func (s *shelf[K, V]) find(hash uint64, key K) *slot[K, V] {
	found := s.chain(hash).Load()
	for found != nil && (found.hash != hash || found.key != key) {
		found = found.next.Load()
	}
	return found
}

// get gives the value of a key, nil where there is none.
func (s *shelf[K, V]) get(hash uint64, key K) *V {
	found := s.find(hash, key)
	if found == nil {
		return nil
	}
	if !found.used.Load() {
		found.used.Store(true)
	}
	return found.value.Load()
}

// peek is get by somebody who does not need the value, only knows something about it.
func (s *shelf[K, V]) peek(hash uint64, key K) *V {
	if found := s.find(hash, key); found != nil {
		return found.value.Load()
	}
	return nil
}

// add puts a value there unless there is one, and gives the one that is there now.
func (s *shelf[K, V]) add(hash uint64, key K, value *V) *V {
	s.mu.Lock()
	defer s.mu.Unlock()
	if have := s.find(hash, key); have != nil {
		return have.value.Load()
	}
	s.placeLocked(hash, key, value)
	return value
}

// set puts a value there, in place of another.
func (s *shelf[K, V]) set(hash uint64, key K, value *V) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if have := s.find(hash, key); have != nil {
		have.value.Store(value)
		return
	}
	s.placeLocked(hash, key, value)
}

func (s *shelf[K, V]) placeLocked(hash uint64, key K, value *V) {
	fresh := &slot[K, V]{key: key, hash: hash}
	fresh.value.Store(value)
	chain := s.chain(hash)
	if len(s.ring) < s.size {
		s.ring = append(s.ring, fresh)
	} else {
		for s.wantedLocked(s.ring[s.hand]) {
			s.hand = (s.hand + 1) % len(s.ring)
		}
		s.removeLocked(s.ring[s.hand])
		s.ring[s.hand] = fresh
		s.hand = (s.hand + 1) % len(s.ring)
	}
	fresh.next.Store(chain.Load())
	chain.Store(fresh)
}

// wantedLocked tells whether a slot was used since the hand last came by.
func (s *shelf[K, V]) wantedLocked(old *slot[K, V]) bool {
	asked := old.used.Swap(false)
	return s.used != nil && s.used(old.value.Load()) || asked
}

func (s *shelf[K, V]) removeLocked(old *slot[K, V]) {
	if s.drop != nil {
		s.drop(old.value.Load())
	}
	link := s.chain(old.hash)
	for link.Load() != old {
		link = &link.Load().next
	}
	link.Store(old.next.Load())
}

func (s *shelf[K, V]) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.ring)
}

// empty drops everything and gives it.
func (s *shelf[K, V]) empty() (all []*V) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, slot := range s.ring {
		all = append(all, slot.value.Load())
	}
	for i := range s.chains {
		s.chains[i].Store(nil)
	}
	s.ring, s.hand = nil, 0
	return all
}
