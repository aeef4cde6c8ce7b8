package service

import "github.com/seed-3eec0498/muster/projector"

// ViewStore are the settings of the store that the rows of all views of a service lie in, in bytes. Zero values mean the defaults.
type ViewStore struct {
	// Cache is the size of the cache of blocks read from disk. Zero means 64 MiB.
	Cache int64
	// WriteBuffer is how much is gathered in memory before it is sorted and written out; about twice that is held, beside the cache. Zero means 32 MiB,
	// else 64 KiB to 1 GiB.
	WriteBuffer int64
	// Reserve is the free space of the disk below which nothing is written any more: shards are away until there is room. Zero means 64 MiB or a tenth of
	// the file system, whichever is less; a negative value means none.
	Reserve int64
}

func (v ViewStore) config() projector.StoreConfig {
	return projector.StoreConfig{CacheBytes: v.Cache, WriteBufferBytes: v.WriteBuffer, ReserveBytes: v.Reserve}
}
