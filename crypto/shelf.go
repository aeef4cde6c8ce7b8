package crypto

import (
	"sync"
	"sync/atomic"
)

// shelf is a bounded map. When it is full, what was not asked for since the hand last came by goes.
type shelf[K comparable, V any] struct {
	size int
	drop func(V) // told of what went

	mu    sync.RWMutex // guards the rest
	byKey map[K]*slot[K, V]
	ring  []*slot[K, V]
	hand  int
}

type slot[K comparable, V any] struct {
	key   K
	value V
	used  atomic.Bool
}

func newShelf[K comparable, V any](size int, drop func(V)) *shelf[K, V] {
	return &shelf[K, V]{size: max(size, 1), drop: drop, byKey: map[K]*slot[K, V]{}}
}

func (s *shelf[K, V]) get(key K) (value V, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	found, ok := s.byKey[key]
	if !ok {
		return value, false
	}
	if !found.used.Load() {
		found.used.Store(true)
	}
	return found.value, true
}

// add puts a value there unless there is one, and gives the one that is there now.
func (s *shelf[K, V]) add(key K, value V) V {
	s.mu.Lock()
	defer s.mu.Unlock()
	if have, ok := s.byKey[key]; ok {
		return have.value
	}
	s.placeLocked(&slot[K, V]{key: key, value: value})
	return value
}

// set puts a value there, in place of another.
func (s *shelf[K, V]) set(key K, value V) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if have, ok := s.byKey[key]; ok {
		have.value = value
		return
	}
	s.placeLocked(&slot[K, V]{key: key, value: value})
}

func (s *shelf[K, V]) placeLocked(fresh *slot[K, V]) {
	s.byKey[fresh.key] = fresh
	if len(s.ring) < s.size {
		s.ring = append(s.ring, fresh)
		return
	}
	for s.ring[s.hand].used.Swap(false) {
		s.hand = (s.hand + 1) % len(s.ring)
	}
	old := s.ring[s.hand]
	delete(s.byKey, old.key)
	s.ring[s.hand] = fresh
	s.hand = (s.hand + 1) % len(s.ring)
	if s.drop != nil {
		s.drop(old.value)
	}
}

func (s *shelf[K, V]) len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.byKey)
}

// empty drops everything and gives it.
func (s *shelf[K, V]) empty() (all []V) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, slot := range s.ring {
		all = append(all, slot.value)
	}
	clear(s.byKey)
	s.ring, s.hand = nil, 0
	return all
}
