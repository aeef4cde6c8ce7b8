package crypto

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/maphash"
	"sync/atomic"
	"time"

	"github.com/seed-3eec0498/muster/internal/mutant"
)

// keyring holds opened data keys. What is asked for often costs one look into a map; everything else is asked of the key store, each thing once
// at a time.
//
// A cached key is used as long as it is certain that it was not destroyed longer than the grace period ago: while the watch of the key store
// runs it is, and once the watch is cut each key is looked up again before it is older than that. When the key store cannot be asked then,
// the key cannot be had.
type keyring struct {
	cfg     *Config
	store   KeyStore
	keks    *keks
	watch   *watch
	ctx     context.Context // ends with Close; look-ups run under it, because a codec is given no context
	seed    maphash.Seed
	names   [shards]*shelf[string, subjectKeys] // by subject id, to seal
	refs    [shards]*shelf[SubjectRef, subjectKeys]
	gone    *goneKeys
	flights flights
	changes atomic.Uint64 // destructions heard of
	stats   counters

	zero   time.Time    // of clock
	coarse atomic.Int64 // clock, as of a moment ago; run sets it, so that whoever seals need not ask for the time
}

// A shard is chosen by the high bits of a hash; a shelf uses the low ones.
const (
	shards     = 1 << 5
	shardShift = 64 - 5
)

func newKeyring(ctx context.Context, cfg *Config) *keyring {
	r := &keyring{
		cfg: cfg, store: cfg.Keys, ctx: ctx, seed: maphash.MakeSeed(), gone: newGoneKeys(cfg.DestroyedEntries, cfg.Now),
		keks: newKEKs(cfg.Tenant, cfg.Keys, cfg.KMS, cfg.Now),
	}
	r.watch, r.zero = newWatch(r), cfg.Now()
	each := (cfg.CacheEntries + shards - 1) / shards
	for i := range shards {
		r.names[i] = newShelf[string, subjectKeys](each, nil, nil)
		r.refs[i] = newShelf[SubjectRef](each, func(s *subjectKeys) { s.out.Store(true) }, (*subjectKeys).sealedFor)
	}
	return r
}

// nameShelf gives the shelf of a subject id, and its hash.
func (r *keyring) nameShelf(id string) (*shelf[string, subjectKeys], uint64) {
	hash := maphash.String(r.seed, id)
	return r.names[hash>>shardShift], hash
}

// refShelf gives the shelf of a reference, and its hash: a reference is one already.
func (r *keyring) refShelf(ref *SubjectRef) (*shelf[SubjectRef, subjectKeys], uint64) {
	hash := binary.LittleEndian.Uint64(ref[:])
	return r.refs[hash>>shardShift], hash
}

// byRef gives the keys of a subject that is on the shelf; nil where it is not.
func (r *keyring) byRef(ref *SubjectRef) *subjectKeys {
	shelf, hash := r.refShelf(ref)
	return shelf.get(hash, *ref)
}

// known is byRef for what was heard of a subject, which is no use of its keys.
func (r *keyring) known(ref *SubjectRef) *subjectKeys {
	shelf, hash := r.refShelf(ref)
	return shelf.peek(hash, *ref)
}

// clock gives the time as a number.
func (r *keyring) clock() int64 { return int64(r.cfg.Now().Sub(r.zero)) }

// run keeps the coarse clock until ctx ends.
func (r *keyring) run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		r.coarse.Store(r.clock())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// usable tells whether a cached key may be used now.
func (r *keyring) usable(k *openKey) bool {
	return !k.revoked.Load() && r.coarse.Load()-k.loaded < int64(r.cfg.KeyAge) && r.watch.covers(k)
}

// forget drops all keys.
func (r *keyring) forget() {
	for i := range shards {
		r.names[i].empty()
		for _, s := range r.refs[i].empty() {
			s.out.Store(true)
			s.revoke(func(*openKey) bool { return true })
		}
	}
}

// sealing gives the key a subject's data is sealed with now, and whether it was in the cache; where the subject has no key, one is made.
func (r *keyring) sealing(id string, size int) (k *openKey, cached bool, err error) {
	shelf, hash := r.nameShelf(id)
	if s := shelf.get(hash, id); s != nil && !s.out.Load() {
		if k := s.active.Load(); k != nil && r.usable(k) && k.spend(r.cfg, size) {
			if !s.sealed.Load() {
				s.sealed.Store(true)
			}
			return k, true, nil
		}
	}
	r.stats.misses.Add(1)
	s := r.named(id)
	if r.clock() < s.erased.Load() {
		return nil, false, r.fault(ErrShredded)
	}
	k, err = r.flights.do(keyName{ref: s.ref}, func() (*openKey, error) { return r.active(s) })
	if err != nil {
		return nil, false, r.fault(err)
	}
	k.spend(r.cfg, size)
	return k, false, nil
}

// opening gives the key that a part was sealed with, and whether it was in the cache.
func (r *keyring) opening(ref *SubjectRef, id *KeyID) (k *openKey, cached bool, err error) {
	if s := r.byRef(ref); s != nil {
		if k := s.find(id); k != nil && r.usable(k) {
			return k, true, nil
		}
	}
	r.stats.misses.Add(1)
	name := keyName{*ref, *id}
	if err = r.gone.get(name); err == nil {
		k, err = r.flights.do(name, func() (*openKey, error) { return r.lookup(name) })
	}
	if err != nil {
		return nil, false, r.fault(err)
	}
	return k, false, nil
}

// named gives the keys of the subject with an id.
func (r *keyring) named(id string) *subjectKeys {
	shelf, hash := r.nameShelf(id)
	s := shelf.get(hash, id)
	if s == nil || s.out.Load() {
		ref := RefOf(r.cfg.SubjectKey, r.cfg.Tenant, id)
		if s == nil {
			r.cfg.warn(id, ref)
		}
		s = r.referred(ref)
		shelf.set(hash, id, s)
	}
	return s
}

func (r *keyring) referred(ref SubjectRef) *subjectKeys {
	shelf, hash := r.refShelf(&ref)
	if s := shelf.get(hash, ref); s != nil {
		return s
	}
	return shelf.add(hash, ref, &subjectKeys{ref: ref})
}

// active asks for the key to seal with.
func (r *keyring) active(s *subjectKeys) (*openKey, error) {
	ctx, done := context.WithTimeout(r.ctx, r.cfg.KeyTimeout)
	defer done()
	if ctx.Err() != nil { // closed
		return nil, ErrKeyUnavailable
	}
	session, changes := r.watch.session(), r.changes.Load()
	e, err := r.store.Active(ctx, s.ref)
	if errors.Is(err, ErrKeyMissing) {
		e, err = r.create(ctx, s.ref)
	}
	if err == nil && e.State != EntryActive { // between two versions
		err = ErrKeyUnavailable
	}
	if errors.Is(err, ErrShredded) {
		s.erased.Store(r.clock() + int64(missingFor))
	}
	if err == nil && r.due(s, &e) {
		e, err = r.renew(ctx, s, e)
	}
	if err != nil {
		return nil, err
	}
	k, err := r.keep(ctx, e, s, session, changes)
	if err == nil && !k.revoked.Load() {
		s.active.Store(k)
	}
	return k, err
}

// create makes a subject's first key. Of several creators one wins, and the others use that key.
func (r *keyring) create(ctx context.Context, ref SubjectRef) (Entry, error) {
	wrapping, err := r.keks.current(ctx)
	if err != nil {
		return Entry{}, err
	}
	key, id, err := newKey()
	if err != nil {
		return Entry{}, err
	}
	defer clear(key)
	r.stats.created.Add(1)
	held, err := r.store.PutIfAbsent(ctx, Entry{
		Subject: ref, ID: id, Version: 1, State: EntryActive, Generation: wrapping.generation,
		Wrapped: wrapping.wrap(ref, id, key), Created: r.cfg.Now(),
	})
	if err != nil {
		return Entry{}, err
	}
	return r.keks.settle(ctx, held, id, key, wrapping)
}

// lookup asks for a key to open with.
func (r *keyring) lookup(name keyName) (*openKey, error) {
	ctx, done := context.WithTimeout(r.ctx, r.cfg.KeyTimeout)
	defer done()
	if ctx.Err() != nil { // closed
		return nil, ErrKeyUnavailable
	}
	session, changes := r.watch.session(), r.changes.Load()
	e, err := r.store.Lookup(ctx, name.ref, name.id)
	switch {
	case err == nil && e.State == EntryDestroyed:
		err = ErrShredded
	case err == nil && (e.Subject != name.ref || e.ID != name.id):
		err = ErrKeyUnavailable
	}
	if err != nil {
		r.gone.put(name, keyFault(err))
		return nil, err
	}
	return r.keep(ctx, e, r.referred(name.ref), session, changes)
}

// keep opens an entry, or finds it opened already, and puts it into the cache. A key that was destroyed while the key store answered is not given;
// where anything was, it serves this once.
func (r *keyring) keep(ctx context.Context, e Entry, s *subjectKeys, session, changes uint64) (*openKey, error) {
	k := s.find(&e.ID)
	if before := k; k == nil || k.revoked.Load() || k.spent(r.cfg, r.clock()) {
		var err error
		if k, err = r.unwrap(ctx, e); err != nil {
			return nil, err
		}
		k.allow(r.cfg, before)
	}
	k.checked.Store(r.clock())
	k.session.Store(session)
	s.put(k)
	if changes != r.changes.Load() {
		s.revoke(func(other *openKey) bool { return other == k })
	}
	if r.gone.destroyed(e.ID) {
		return nil, ErrShredded
	}
	return k, nil
}

func (r *keyring) unwrap(ctx context.Context, e Entry) (*openKey, error) {
	begin := r.cfg.Now()
	wrapping, err := r.keks.of(ctx, e.Generation)
	if err != nil {
		return nil, err
	}
	key, err := wrapping.unwrap(e.Subject, e.ID, e.Wrapped)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	d, err := newDEK(e.ID, key)
	if err != nil {
		return nil, err
	}
	r.stats.unwraps.Add(1)
	r.cfg.Observe.unwrapped(r.cfg.Now().Sub(begin))
	return &openKey{dek: *d, subject: e.Subject, life: e.Life, loaded: r.clock()}, nil
}

// heard acts on what happened in the key store.
func (r *keyring) heard(c KeyChange) {
	if mutant.ErasedStillOpens && (c.Destroy != nil || c.Entry.State == EntryDestroyed) {
		return
	}
	if c.Destroy != nil {
		for _, id := range c.Destroy.Keys {
			r.gone.destroy(id)
		}
		r.changes.Add(1)
		if s := r.known(&c.Destroy.Subject); s != nil {
			s.revoke(func(k *openKey) bool { return k.life <= c.Destroy.Life })
		}
		return
	}
	e := &c.Entry
	if e.Subject == KEKSubject(r.cfg.Tenant) {
		if e.State == EntryDestroyed {
			r.keks.drop(e.Generation)
		}
		return
	}
	s := r.known(&e.Subject)
	switch {
	case e.State == EntryDestroyed:
		r.gone.destroy(e.ID)
		r.changes.Add(1)
		if s != nil {
			s.revoke(func(k *openKey) bool { return k.id == e.ID })
		}
	case s != nil: // a newer key may be the one to seal with
		s.erased.Store(0)
		if k := s.active.Load(); k != nil && (k.id == e.ID) != (e.State == EntryActive) {
			s.active.CompareAndSwap(k, nil)
		}
	}
}

// fault makes an error of this package of what a key store said.
func (r *keyring) fault(err error) error {
	fault := keyFault(err)
	r.cfg.Observe.fault(fault)
	return fault
}
