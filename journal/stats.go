package journal

import (
	"maps"
	"slices"
)

// Stats is how the store is doing, for metrics. The figures are of the whole store, over all groups.
type Stats struct {
	DiskBytes         int64 // on disk, tables and logs
	WriteBufferBytes  int64 // in memory, not written out yet
	CacheBytes        int64 // blocks held in memory
	CacheHits         int64 // since Open
	CacheMisses       int64 // since Open
	Sublevels         int   // sorted runs of level 0 that a read may have to look through; Store waits at 24
	CompactionDebt    int64 // bytes that compaction still has to rewrite
	CompactionsInHand int
	WindowIDs         int64 // command ids remembered in the partitions that are open
	WindowBytes       int64 // memory for them
	Troubled          bool  // a background write failed within the last second
}

// Stats gives the figures of this moment; the zero value once the store is closed. It takes Pebble's lock: ask every few seconds.
func (s *Store) Stats() Stats {
	s.mu.Lock() // before use, as everywhere
	groups := slices.Collect(maps.Values(s.groups))
	s.mu.Unlock()
	if err := s.begin(); err != nil {
		return Stats{}
	}
	defer s.disk.End()
	m := s.db.Metrics()
	stats := Stats{
		DiskBytes: int64(m.DiskSpaceUsage()), WriteBufferBytes: int64(m.MemTable.Size),
		CacheBytes: m.BlockCache.Size, CacheHits: m.BlockCache.Hits, CacheMisses: m.BlockCache.Misses,
		Sublevels: int(m.Levels[0].Sublevels), CompactionDebt: int64(m.Compact.EstimatedDebt), CompactionsInHand: int(m.Compact.NumInProgress),
		Troubled: s.disk.Passing() != nil,
	}
	for _, g := range groups {
		for i := range g.places {
			if p := g.places[i].open.Load(); p != nil {
				p.mu.RLock()
				stats.WindowIDs += int64(p.window.count)
				stats.WindowBytes += p.window.bytes()
				p.mu.RUnlock()
			}
		}
	}
	return stats
}
