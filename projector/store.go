package projector

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/disk"
)

// Store keeps the rows of views: one Pebble store in one directory for all views of a process, with the checkpoints and letters of their shards. It is
// the [Target] of each of them, and the [Reader] of what is held here. Its methods are safe for concurrent use.
//
// A batch of a shard is one Pebble batch: rows, index entries, counters, checkpoints, letters and the number of the last act are there
// together or not at all. When Commit returns, the operating system has it: it survives the end of the process; a power cut may lose the
// newest batches, in order, and their events are applied again. The store is a copy that any instance can make anew, so nothing fences
// instances from each other; a second claim in the same process fences the first.
type Store struct {
	cfg   StoreConfig
	log   *slog.Logger
	views map[string]AnyView // by name@version; read-only after Open
	disk  *disk.Disk         // written by OpenStore, read-only afterwards
	db    *pebble.DB         // of disk

	mu      sync.Mutex // guards shards, serving and last, and is held over changes of the shards' numbers
	shards  map[shardID]*storeShard
	last    keyRange          // the last number given
	serving map[string]served // by name; see Serve

	commits  turnstile // turns with every commit and claim
	watching watchers
}

// storeShard is one shard of one generation as the store knows it.
type storeShard struct {
	id     shardID
	number atomic.Uint32 // its keyRange; written under mu of the store
	view   AnyView       // nil where this process does not know the view
	commit sync.Mutex    // a batch of the shard is being written, or its holder changes; guards holder and meta
	holder *storeHolding
	meta   shardMeta

	damaged atomic.Pointer[string]   // why the next claim begins anew, one of the Rebuilt constants: a record cannot be read; nil where all can
	held    atomic.Bool              // holder is not nil, and no copy's; for readers
	copies  atomic.Bool              // holder is that of a copy
	sources atomic.Pointer[[]Source] // as the last claim said; nil before
}

// damage has the next claim begin anew.
func (sh *storeShard) damage(err error) {
	why := rebuiltFor(err)
	sh.damaged.Store(&why)
}

// rebuiltFor gives the word for what cannot be read.
func rebuiltFor(err error) string {
	if muster.PayloadFaultOf(err) == muster.FaultTampered {
		return RebuiltTampered
	}
	return RebuiltCorrupt
}

// at gives the range of the shard's keys.
func (sh *storeShard) at() keyRange { return keyRange(sh.number.Load()) }

// reads tells whether the shard reads a source, as far as that is known.
func (sh *storeShard) reads(source Source) bool {
	sources := sh.sources.Load()
	return sources != nil && slices.Contains(*sources, source)
}

// OpenStore opens the store of a process, makes it when it is missing, and locks it: a second opener gets an error that says so. A store that is
// damaged, of a newer format or not ours is moved aside to <dir>.corrupt-<n> and begun anew, so that its views are built anew from the
// journals; log and [StoreObserve] say so. Close it, after the runners have ended.
func OpenStore(cfg StoreConfig) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, log: cfg.logger(), views: map[string]AnyView{}, shards: map[shardID]*storeShard{}, serving: map[string]served{}}
	for _, v := range cfg.Views {
		s.views[v.Definition().String()] = v
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	if err := s.load(); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// load finds the shards that are stored.
func (s *Store) load() error {
	low, high := ownRange.bounds(kindShard)
	records, err := s.db.NewIter(&pebble.IterOptions{LowerBound: low, UpperBound: high})
	if err != nil {
		return s.fault("look for its shards", err)
	}
	for records.First(); records.Valid() && err == nil; records.Next() {
		sh, n := &storeShard{}, keyRange(0)
		if sh.id, err = shardOf(records.Key()); err == nil {
			n, err = decodeNumber(records.Value())
		}
		if err == nil {
			sh.view = s.views[sh.id.projection]
			sh.number.Store(uint32(n))
			s.shards[sh.id] = sh
			s.last = max(s.last, n)
		}
	}
	if closing := records.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return s.fault("look for its shards", err)
	}
	value, closer, err := s.db.Get(ownRange.key(kindNumber, ""))
	switch {
	case err == nil:
		var n keyRange
		n, err = decodeNumber(value)
		_ = closer.Close()
		s.last = max(s.last, n)
	case notFound(err):
		return nil
	}
	if err != nil {
		return s.fault("look for its shards", err)
	}
	return nil
}

// Claim implements [Target]. The shard is one of a view of the config.
func (s *Store) Claim(ctx context.Context, shard Shard) (Holding, error) {
	id := idOf(shard)
	view := s.views[id.projection]
	if view == nil {
		return nil, fmt.Errorf("view store: %s is no view of this store; give it to the store's config", id.projection)
	}
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	sh, err := s.shard(id)
	if err != nil {
		return nil, err
	}
	sh.commit.Lock()
	defer sh.commit.Unlock()
	if why := sh.damaged.Load(); why != nil {
		if err := s.renumber(sh, *why, errDamaged); err != nil {
			return nil, err
		}
	}
	if err := s.prepare(ctx, sh); err != nil {
		return nil, err
	}
	h := &storeHolding{s: s, shard: sh, letters: map[string]uint64{}, erased: shard.Erased}
	sources := slices.Clone(shard.Sources)
	sh.sources.Store(&sources)
	sh.holder = h
	sh.copies.Store(shard.Standby)
	h.waits = !shard.Standby && sh.meta.acts < shard.Erased
	serves := !shard.Standby && !h.waits
	if before := sh.held.Swap(serves); before || serves {
		s.watching.moved(shard.Name)
	}
	s.commits.turn()
	return h, nil
}

// prepare reads what stands beside the rows and sees to the indexes. A record that cannot be read begins the shard anew. The caller holds commit.
func (s *Store) prepare(ctx context.Context, sh *storeShard) error {
	err := s.readMeta(sh)
	if err == nil {
		err = s.checkIndexes(ctx, sh)
	}
	if err != nil && isStoreCorrupt(err) && s.renumber(sh, rebuiltFor(err), err) == nil {
		if err = s.readMeta(sh); err == nil {
			err = s.checkIndexes(ctx, sh)
		}
	}
	return err
}

func (s *Store) readMeta(sh *storeShard) error {
	sh.meta = shardMeta{}
	value, closer, err := s.db.Get(sh.at().key(kindMeta, ""))
	if notFound(err) {
		return nil
	}
	if err == nil {
		sh.meta, err = decodeShardMeta(value)
		_ = closer.Close()
		if err != nil {
			err = undecodableRecord(err)
		}
	}
	if err != nil {
		return s.fault("claim "+sh.id.String(), err)
	}
	return nil
}

// shard finds a shard, and gives it a number at its first use.
func (s *Store) shard(id shardID) (*storeShard, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sh := s.shards[id]; sh != nil {
		return sh, nil
	}
	sh := &storeShard{id: id, view: s.views[id.projection]}
	batch := s.db.NewBatch()
	defer func() { _ = batch.Close() }()
	if err := s.numberLocked(batch, sh); err != nil {
		return nil, err
	}
	s.shards[id] = sh
	return sh, nil
}

// numberLocked gives a shard the next number, in a batch that it commits. The caller holds mu.
func (s *Store) numberLocked(batch *pebble.Batch, sh *storeShard) error {
	n := s.last + 1
	_ = batch.Set(sh.id.key(), appendNumber(nil, n), nil)
	_ = batch.Set(ownRange.key(kindNumber, ""), appendNumber(nil, n), nil)
	if err := batch.Commit(pebble.Sync); err != nil {
		return s.fault("number "+sh.id.String(), err)
	}
	if err := s.Failed(); err != nil {
		return err
	}
	s.last = n
	sh.number.Store(uint32(n))
	return nil
}

// renumber begins a shard anew, under another number, so that nothing of what lies under the old one is seen again. The caller holds commit.
func (s *Store) renumber(sh *storeShard, reason string, cause error) error {
	s.rebuilt(StoreRebuilt{Projection: sh.id.projection, Generation: sh.id.generation, Shard: sh.id.number, Reason: reason, Cause: cause})
	s.mu.Lock()
	defer s.mu.Unlock()
	batch := s.db.NewBatch()
	defer func() { _ = batch.Close() }()
	low, high := sh.at().all()
	_ = batch.DeleteRange(low, high, nil)
	if err := s.numberLocked(batch, sh); err != nil {
		return err
	}
	sh.meta = shardMeta{}
	sh.damaged.Store(nil)
	s.log.Error("rows of a view cannot be used and were given up; they are built anew from the journals",
		"projection", sh.id.projection, "shard", sh.id.number, "generation", sh.id.generation, "reason", reason, "error", cause)
	return nil
}

func (s *Store) rebuilt(r StoreRebuilt) {
	if s.cfg.Observe.Rebuilt != nil {
		s.cfg.Observe.Rebuilt(r)
	}
}

// Drop implements [Target]: one tombstone over the shard's range, whatever its size. A holder of the shard is fenced.
func (s *Store) Drop(_ context.Context, shard Shard) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	id := idOf(shard)
	s.mu.Lock()
	sh := s.shards[id]
	s.mu.Unlock()
	if sh == nil {
		return nil
	}
	sh.commit.Lock()
	defer sh.commit.Unlock()
	sh.holder = nil
	sh.held.Store(false)
	defer s.watching.moved(shard.Name)
	s.mu.Lock()
	defer s.mu.Unlock()
	batch := s.db.NewBatch()
	defer func() { _ = batch.Close() }()
	low, high := sh.at().all()
	_ = batch.DeleteRange(low, high, nil)
	_ = batch.Delete(id.key(), nil)
	if err := batch.Commit(pebble.Sync); err != nil {
		return s.fault("drop "+id.String(), err)
	}
	if err := s.Failed(); err != nil {
		return err
	}
	if s.shards[id] == sh {
		delete(s.shards, id)
	}
	return nil
}

func (s *Store) codec() muster.Codec { return s.cfg.codec() }

func (s *Store) since(began time.Time) time.Duration { return s.cfg.now()().Sub(began) }

// KeepsGenerations implements [Generations].
func (s *Store) KeepsGenerations() {}

// Kept gives the shards that rows are stored of, of a projection's name, also of versions that are not among the views of the config.
func (s *Store) Kept(name string) []Shard {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Shard
	for id := range s.shards {
		if plain, version, ok := splitName(id.projection); ok && plain == name {
			all = append(all, Shard{Projection: id.projection, Name: plain, Version: version, Generation: id.generation, Number: id.number})
		}
	}
	return all
}
