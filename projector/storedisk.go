package projector

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seed-3eec0498/muster/internal/disk"
)

// What the calls of a [Store] answer when it cannot do its work, beside [ErrStore], which all of them are but [ErrLocked].
var (
	// ErrFull: the file system of the view directory has no room. Nothing is lost: the journals have it.
	ErrFull = errors.New("disk full")
	// ErrCorrupt: rows cannot be read back. The next claim of the shard begins anew, and the next start moves the store aside.
	ErrCorrupt = errors.New("stored rows are corrupt")
	// ErrLocked: another process, or another Store of this one, has the view directory open.
	ErrLocked = errors.New("view directory is in use")
	// ErrClosed: the store is closed or closing.
	ErrClosed = errors.New("view store is closed")

	errStoreFailed = errors.New("view store failed")
	errDamaged     = errors.New("a record could not be read")
)

// storeWords are what the disk calls this store and its faults.
var storeWords = disk.Words{
	Directory: "view directory",
	Full:      ErrFull, Store: errStoreFailed, Corrupt: ErrCorrupt, Locked: ErrLocked, Closed: ErrClosed,
	ReasonCorrupt: RebuiltCorrupt, ReasonNewerFormat: RebuiltNewerFormat, ReasonForeign: RebuiltForeign,
	NextFull:    "free space on that file system, then restart: the views go on where they stopped",
	NextWait:    "free space on that file system; the views go on by themselves",
	NextFailed:  "mend the disk or set another directory, then restart: the views go on, or are built anew from the journals",
	NextRead:    "it is tried again; if it stays, mend the disk or set another directory and restart",
	NextCorrupt: "the rows are built anew from the journals when the shard is claimed again",
	NextLocked:  "stop the other process, or give each process a directory of its own",
	NextClosed:  "open the store again",
	NextRestart: "restart: the views are built anew from the journals",
}

// The defaults of [StoreConfig].
const (
	storeCache  = 64 << 20
	storeBuffer = 32 << 20
)

// open opens the directory for this process alone. A damaged store is moved aside, once.
func (s *Store) open() error {
	cfg := &s.cfg
	dir, files := cfg.Dir, cfg.FS
	switch {
	case files == nil && dir == "":
		files, dir = vfs.NewMem(), "memory"
	case files == nil:
		files = vfs.Default
	}
	d, err := disk.Open(disk.Config{
		Dir: dir, FS: files, CacheBytes: orElse(cfg.CacheBytes, storeCache), WriteBufferBytes: orElse(cfg.WriteBufferBytes, storeBuffer),
		ReserveBytes: cfg.ReserveBytes, Logger: s.log, Now: cfg.now(), Words: storeWords,
		Show: func(key []byte) fmt.Formatter { return hiddenKey(key) }, Check: checkStoreFormat,
		Tell: disk.Tell{
			Failed: func(f *disk.Fault) {
				s.log.Error("the view store failed; views stand still until it is opened again", "dir", dir, "doing", f.Doing, "error", f.Cause)
				if cfg.Observe.Failed != nil {
					cfg.Observe.Failed(AsStore(f))
				}
			},
			Troubled: func(cause error) {
				s.log.Warn("a background write of the view store failed; it is repeated", "dir", dir, "error", cause)
			},
			Rotten: func(cause error) {
				s.log.Error("the view store is corrupt; what is damaged is built anew now, all of it at the next start", "dir", dir, "error", cause)
			},
			Unmarked: func(cause error) {
				s.log.Error("cannot mark the view store for rebuilding; delete the directory before the next start", "dir", dir, "error", cause)
			},
			MovedAside: func(reason, aside string, cause error) {
				s.log.Error("the view store cannot be used and was moved aside; all views are built anew from the journals",
					"dir", dir, "reason", reason, "moved_to", aside, "error", cause)
				s.rebuilt(StoreRebuilt{Shard: Whole, Reason: reason, MovedTo: aside, Cause: cause})
			},
		},
	})
	if err != nil {
		if errors.Is(err, ErrLocked) {
			return err
		}
		return AsStore(err)
	}
	s.disk, s.db = d, d.DB
	return nil
}

func orElse[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

// checkStoreFormat reads the store format, or writes it into a new store.
func checkStoreFormat(db *pebble.DB) error {
	key := ownRange.key(kindMeta, "")
	value, closer, err := db.Get(key)
	switch {
	case err == nil:
		_, err = decodeStoreFormat(value)
		_ = closer.Close()
		if errors.Is(err, errNewerFormat) {
			return &disk.Damage{Reason: RebuiltNewerFormat, Cause: err}
		}
		if err != nil {
			return &disk.Damage{Reason: RebuiltForeign, Cause: err}
		}
		return nil
	case !notFound(err):
		return err
	}
	records, err := db.NewIter(nil)
	if err != nil {
		return err
	}
	empty := !records.First()
	if err := records.Close(); err != nil {
		return err
	}
	if !empty {
		return &disk.Damage{Reason: RebuiltForeign, Cause: errors.New("it has records, but no format of ours")}
	}
	return db.Set(key, appendStoreFormat(nil, storeFormatCurrent), pebble.Sync)
}

// enter lets a call in; leave must follow unless there is an error.
func (s *Store) enter() error { return AsStore(s.disk.Begin()) }

func (s *Store) leave() { s.disk.End() }

// Failed gives the error that every call answers since the store has failed, and nil while it works. A failed store stays failed: close it and
// open it again once the cause is mended. Being short of room is no failure as long as the reserve lasts.
func (s *Store) Failed() error { return AsStore(s.disk.Failed()) }

// fault classifies an error of Pebble, or nil. Corruption is not forgotten: the next start begins anew.
func (s *Store) fault(doing string, err error) error {
	if errors.Is(err, ErrStore) {
		return err
	}
	return AsStore(s.disk.Fault(doing, err))
}

// room waits until another batch may be written.
func (s *Store) room(ctx context.Context, extra int) error { return AsStore(s.disk.Room(ctx, extra)) }

func undecodableRecord(err error) error { return disk.Undecodable(err) }

func isStoreCorrupt(err error) bool { return errors.Is(err, ErrCorrupt) }

func notFound(err error) bool { return errors.Is(err, pebble.ErrNotFound) }

// Close ends all calls in hand and gives the directory back. Closing again is harmless and gives the same answer.
func (s *Store) Close() error { return AsStore(s.disk.Close()) }
