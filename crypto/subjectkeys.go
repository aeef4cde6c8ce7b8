package crypto

import (
	"slices"
	"sync"
	"sync/atomic"
)

// maxVersions is how many keys of one subject are kept open; a subject has a new one every few months.
const maxVersions = 16

// subjectKeys holds the open keys of one subject.
type subjectKeys struct {
	ref    SubjectRef
	out    atomic.Bool                // not on the shelf any more: nobody would tell it of changes
	sealed atomic.Bool                // something was sealed for it: found by its id, which the shelf of references does not see
	active atomic.Pointer[openKey]    // to seal with; nil: to be asked for
	calm   atomic.Int64               // until when no renewal is tried, since one has failed; on the ring's clock
	erased atomic.Int64               // until when it is believed that nothing is sealed for it any more; on the ring's clock
	keys   atomic.Pointer[[]*openKey] // replaced as a whole, under mu

	mu sync.Mutex
}

// openKey is a data key in use.
type openKey struct {
	dek     // by value: a key that is not in the processor's cache costs a wait for each pointer on the way to it
	subject SubjectRef
	life    uint32
	loaded  int64         // when it was opened, on the ring's clock
	session atomic.Uint64 // of the watch that ran when the key store was last asked about it; 0: none did
	checked atomic.Int64  // when that was
	revoked atomic.Bool   // it is not to be used any more

	used   atomic.Uint64 // what was sealed with it since it was opened: messages << 40 | bytes
	limit  atomic.Int64  // messages, of those in used, after which the key store is asked again
	drawn  int64         // messages, of those in used, after which the key is renewed
	before int64         // messages that this process had sealed with it when it was opened
}

// sealedFor tells whether anything was sealed since it was asked last.
func (s *subjectKeys) sealedFor() bool { return s.sealed.Swap(false) }

// find gives an open key. Most of what is opened was sealed with the newest.
func (s *subjectKeys) find(id *KeyID) *openKey {
	if k := s.active.Load(); k != nil && k.id == *id {
		return k
	}
	if keys := s.keys.Load(); keys != nil {
		for _, k := range *keys {
			if k.id == *id {
				return k
			}
		}
	}
	return nil
}

// put adds an open key, in place of one with the same id.
func (s *subjectKeys) put(k *openKey) {
	s.change(func(keys []*openKey) []*openKey {
		keys = slices.DeleteFunc(keys, func(have *openKey) bool { return have.id == k.id })
		if len(keys) == maxVersions {
			keys = keys[1:]
		}
		return append(keys, k)
	})
	if old := s.active.Load(); old != nil && old.id == k.id {
		s.active.CompareAndSwap(old, k)
	}
}

// revoke forgets keys.
func (s *subjectKeys) revoke(which func(*openKey) bool) {
	s.change(func(keys []*openKey) []*openKey {
		return slices.DeleteFunc(keys, func(k *openKey) bool {
			if which(k) {
				k.revoked.Store(true)
				return true
			}
			return false
		})
	})
	if k := s.active.Load(); k != nil && which(k) {
		k.revoked.Store(true)
		s.active.CompareAndSwap(k, nil)
	}
}

func (s *subjectKeys) change(f func([]*openKey) []*openKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var keys []*openKey
	if have := s.keys.Load(); have != nil {
		keys = slices.Clone(*have)
	}
	keys = f(keys)
	s.keys.Store(&keys)
}

// spent tells whether a key has to be opened anew.
func (k *openKey) spent(cfg *Config, now int64) bool {
	used := k.used.Load()
	return int64(used>>40) >= cfg.KeyMessages || int64(used&(1<<40-1)) >= cfg.KeyBytes || now-k.loaded >= int64(cfg.KeyAge)
}

// spend counts a message; false when the key has to be opened anew first.
func (k *openKey) spend(cfg *Config, size int) bool {
	used := k.used.Add(1<<40 | uint64(size))
	return int64(used>>40) <= k.limit.Load() && int64(used&(1<<40-1)) <= cfg.KeyBytes
}
