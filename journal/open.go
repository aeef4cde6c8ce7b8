package journal

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/seed-3eec0498/muster/internal/disk"
)

// words are what the disk calls this store and its faults.
var words = disk.Words{
	Directory: "state directory",
	Full:      ErrFull, Store: ErrStore, Corrupt: ErrCorrupt, Locked: ErrLocked, Closed: ErrClosed,
	ReasonCorrupt: ReasonCorrupt, ReasonNewerFormat: ReasonNewerFormat, ReasonForeign: ReasonForeign,
	NextFull:    "free space on that file system, then restart: state is read back from the journal where it stopped",
	NextWait:    "free space on that file system; storing goes on by itself",
	NextFailed:  "mend the disk or set another directory, then restart: state is read back from the journal",
	NextRead:    "try again; if it stays, mend the disk or set another directory and restart",
	NextCorrupt: "reset the partition: it is folded anew from the journal",
	NextLocked:  "stop the other process, or give each process a directory of its own",
	NextClosed:  "open the store again",
	NextRestart: "restart: the store is built anew from the journal",
}

// open opens the directory for this process alone. A damaged store is moved aside, once.
func (s *Store) open() error {
	dir := s.cfg.dir()
	d, err := disk.Open(disk.Config{
		Dir: dir, FS: s.cfg.fs(), CacheBytes: s.cfg.cache(), WriteBufferBytes: s.cfg.writeBuffer(), ReserveBytes: s.cfg.ReserveBytes,
		Logger: s.log, Now: s.cfg.now(), Words: words,
		Show: func(key []byte) fmt.Formatter { return redacted(key) }, Check: checkStore,
		Tell: disk.Tell{
			Failed: func(f *disk.Fault) {
				s.log.Error("the state store failed; commits stop until it is opened again", "dir", dir, "doing", f.Doing, "error", f.Cause)
				s.cfg.Observe.failed(f)
			},
			Troubled: func(cause error) {
				s.log.Warn("a background write of the state store failed; it is repeated", "dir", dir, "error", cause)
			},
			Rotten: func(cause error) {
				s.log.Error("the state store is corrupt; it is built anew at the next start", "dir", dir, "error", cause)
			},
			Unmarked: func(cause error) {
				s.log.Error("cannot mark the state store for rebuilding; delete the directory before the next start", "dir", dir, "error", cause)
			},
			MovedAside: func(reason, aside string, cause error) {
				s.rebuilt = &Rebuilt{Partition: -1, Reason: reason, MovedTo: aside, Cause: cause}
				s.log.Error("the state store cannot be used and was moved aside; all state is built anew from the journal",
					"dir", dir, "reason", reason, "moved_to", aside, "error", cause)
				s.cfg.Observe.rebuilt(*s.rebuilt)
			},
		},
	})
	if err != nil {
		return err
	}
	s.disk, s.db, s.files = d, d.DB, d.FS
	if err := s.emptyIngest(); err != nil {
		_ = d.Close()
		f := &disk.Fault{Kind: ErrStore, Directory: words.Directory, Dir: dir, Doing: "open it", Cause: err, Next: words.NextFailed}
		if disk.IsFull(err) {
			f.Kind, f.Next = ErrFull, words.NextFull
		}
		return f
	}
	return nil
}

// checkStore reads the store format, or writes it into a new store.
func checkStore(db *pebble.DB) error {
	key := prefixOf(ownGroup, 0).key(kindMeta, "")
	value, closer, err := db.Get(key)
	switch {
	case err == nil:
		_, err = decodeFormat(value)
		_ = closer.Close()
		if errors.Is(err, errNewer) {
			return &disk.Damage{Reason: ReasonNewerFormat, Cause: err}
		}
		if err != nil {
			return &disk.Damage{Reason: ReasonForeign, Cause: err}
		}
		return nil
	case !errors.Is(err, pebble.ErrNotFound):
		return err
	}
	rows, err := db.NewIter(nil)
	if err != nil {
		return err
	}
	empty := !rows.First()
	if err := rows.Close(); err != nil {
		return err
	}
	if !empty {
		return &disk.Damage{Reason: ReasonForeign, Cause: errors.New("it has rows, but no format of ours")}
	}
	return db.Set(key, appendFormat(nil, formatCurrent), pebble.Sync)
}
