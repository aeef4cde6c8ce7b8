package crypto

import (
	"errors"
	"sync"
	"time"
)

// missingFor is how long it is believed that a key is missing.
const missingFor = time.Second

// goneKeys remembers keys that cannot be had: destroyed ones for ever, missing ones for a second. A key id is 16 bytes of a pseudo-random
// function, so it is never another key's, in no life of its subject. Where the memory is full an old one is forgotten, and the key store,
// which forgets none, is asked again.
type goneKeys struct {
	size int
	now  func() time.Time

	mu      sync.RWMutex // guards the rest
	dead    map[KeyID]struct{}
	missing map[keyName]time.Time // until when
}

func newGoneKeys(size int, now func() time.Time) *goneKeys {
	return &goneKeys{size: size, now: now, dead: map[KeyID]struct{}{}, missing: map[keyName]time.Time{}}
}

// get gives nil where nothing is known about the key.
func (g *goneKeys) get(name keyName) error {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if _, dead := g.dead[name.id]; dead {
		return ErrShredded
	}
	if until, ok := g.missing[name]; ok && g.now().Before(until) {
		return ErrKeyMissing
	}
	return nil
}

func (g *goneKeys) destroyed(id KeyID) bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	_, dead := g.dead[id]
	return dead
}

// put remembers what the key store said, where that can be remembered.
func (g *goneKeys) put(name keyName, err error) {
	switch {
	case errors.Is(err, ErrShredded):
		g.destroy(name.id)
	case errors.Is(err, ErrKeyMissing):
		g.mu.Lock()
		defer g.mu.Unlock()
		if len(g.missing) >= 1000 {
			clear(g.missing)
		}
		g.missing[name] = g.now().Add(missingFor)
	}
}

func (g *goneKeys) destroy(id KeyID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.dead) >= g.size {
		for old := range g.dead {
			delete(g.dead, old)
			break
		}
	}
	g.dead[id] = struct{}{}
}

func (g *goneKeys) len() int {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return len(g.dead)
}
