package disk

import (
	"fmt"
	"runtime"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// formatPebble is the newest of Pebble's own formats that stores are made in. The one after it writes into a log how far the log has been
// synced; the guard syncs later than it says, so that a power cut would look like corruption. It has all that is used: excising a range
// and ingesting tables.
const formatPebble = pebble.FormatColumnarBlocks

// maxTables is how many write buffers may wait to be written out before Store waits. maxSublevels is how many sorted runs a read may have
// to look through in level 0 before it does. From compactSublevels on they are merged; Pebble's default, 4, merges them more often than rows in
// random order need.
const (
	maxTables        = 4
	maxSublevels     = 24
	compactSublevels = 8
)

// pebbleOptions gives Pebble's settings. The caller owns the cache and unrefs it after Open.
func pebbleOptions(cfg *Config, fs vfs.FS, h *health, lock *pebble.Lock) *pebble.Options {
	buffer := cfg.WriteBufferBytes
	options := &pebble.Options{
		FS:                 fs,
		Lock:               lock,
		Logger:             logger{h},
		EventListener:      h.events(),
		FormatMajorVersion: formatPebble,
		Comparer:           comparer(cfg),
		// Write buffers are taken out of the cache; the figure the user gave is for blocks alone.
		Cache:        pebble.NewCache(cfg.CacheBytes + 2*buffer),
		MemTableSize: uint64(buffer),
		// Pebble's own stalls never end where the disk has failed. Store waits long before these are reached, and its waiting ends.
		MemTableStopWritesThreshold: 256 * maxTables,
		L0StopWritesThreshold:       256 * maxSublevels,
		L0CompactionThreshold:       compactSublevels,
		// Writing out a log as it grows keeps the sync at its end short.
		WALBytesPerSync:            1 << 20,
		CompactionConcurrencyRange: func() (int, int) { return 1, max(1, runtime.GOMAXPROCS(0)/2) },
	}
	options.Experimental.ReadSamplingMultiplier = -1 // no compactions because of reads
	for i := range options.Levels {
		options.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	return options
}

// comparer orders keys by their bytes and shows them without the ids in them.
func comparer(cfg *Config) *pebble.Comparer {
	c := *pebble.DefaultComparer
	c.FormatKey = func(key []byte) fmt.Formatter { return cfg.Show(key) }
	return &c
}
