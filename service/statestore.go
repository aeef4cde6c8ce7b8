package service

import "github.com/seed-3eec0498/muster/journal"

// StateStore are the settings of the store that the states of a service's groups and its answers lie in, in bytes. Zero values mean the defaults.
type StateStore struct {
	// Cache is the size of the cache of blocks read from disk. Zero means 64 MiB.
	Cache int64
	// WriteBuffer is how much is gathered in memory before it is sorted and written out; about twice that is held, beside the cache. Zero means 16 MiB,
	// else 64 KiB to 1 GiB.
	WriteBuffer int64
	// Reserve is the free space of the disk below which nothing is stored any more: commands wait until there is room. Zero means 64 MiB or a tenth of
	// the file system, whichever is less; a negative value means none.
	Reserve int64
}

func (s StateStore) config() journal.Config {
	return journal.Config{CacheBytes: s.Cache, WriteBufferBytes: s.WriteBuffer, ReserveBytes: s.Reserve}
}
