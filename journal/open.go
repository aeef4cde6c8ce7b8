package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// rottenMarker is a file that says: corruption was met while the store was open, do not read it again.
const rottenMarker = "MUSTER-REBUILD"

// damage is a store that cannot be read, whoever tries, and is given up. Everything in it comes back from the journal.
type damage struct {
	reason string
	cause  error
}

// Error gives reason and cause.
func (d *damage) Error() string { return d.reason + ": " + d.cause.Error() }

// Unwrap gives the cause.
func (d *damage) Unwrap() error { return d.cause }

// open opens the directory for this process alone. A damaged store is moved aside, once.
func (s *Store) open() error {
	dir, disk := s.cfg.dir(), s.disk
	if err := disk.MkdirAll(dir, 0o700); err != nil {
		return openFault(dir, "make it", err)
	}
	lock, err := lockDir(dir, disk)
	if err != nil {
		return err
	}
	err = s.openPebble(lock)
	if d, damaged := errors.AsType[*damage](err); damaged {
		lock, err = s.moveAside(lock, d)
		if err != nil {
			return err
		}
		err = s.openPebble(lock)
	}
	if err != nil {
		_ = lock.Close()
		return openFault(dir, "open it", err)
	}
	s.lock = lock
	return nil
}

func openFault(dir, doing string, err error) error {
	f := &fault{kind: ErrStore, dir: dir, doing: doing, cause: err, next: nextFailed}
	if isFull(err) {
		f.kind, f.next = ErrFull, nextFull
	}
	return f
}

func lockDir(dir string, disk vfs.FS) (*pebble.Lock, error) {
	lock, err := pebble.LockDirectory(dir, disk)
	if err == nil {
		return lock, nil
	}
	_, onPath := errors.AsType[*fs.PathError](err) // the lock file cannot be made; who holds a lock is told by a bare number or text
	if onPath || isFull(err) {
		return nil, openFault(dir, "lock it", err)
	}
	return nil, &fault{kind: ErrLocked, dir: dir, doing: "lock it", cause: err, next: nextLocked}
}

// openPebble opens Pebble in the locked directory and checks that the store in it is one of ours, or new.
func (s *Store) openPebble(lock *pebble.Lock) (err error) {
	dir := s.cfg.dir()
	switch _, err := s.disk.Stat(s.disk.PathJoin(dir, rottenMarker)); {
	case err == nil:
		return &damage{ReasonCorrupt, errors.New("corruption was met when it was open last")}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	s.health = newHealth(&s.cfg)
	options := pebbleOptions(&s.cfg, &guard{FS: s.disk, h: s.health}, s.health, lock)
	defer options.Cache.Unref()
	db, err := recoverOpen(dir, options)
	if err == nil {
		err = checkStore(db)
	}
	if f := s.health.failed.Load(); f != nil {
		err = f.cause // whatever else was seen: Pebble goes on where it expects the process to end
	} else if s.health.rotten.Load() {
		err = errors.Join(err, &damage{ReasonCorrupt, errors.New("corruption was met while it was opened")})
	}
	if err != nil {
		if db != nil {
			_ = db.Close()
		}
		return damageOf(err)
	}
	s.db = db
	complete := options.Clone()
	complete.EnsureDefaults()
	s.tables = complete.MakeWriterOptions(0, db.TableFormat())
	if err := s.emptyIngest(); err != nil {
		_ = db.Close()
		return err
	}
	s.health.running.Store(true)
	return nil
}

// recoverOpen opens Pebble. A log with nonsense in it makes Pebble panic.
func recoverOpen(dir string, options *pebble.Options) (db *pebble.DB, err error) {
	defer func() {
		if r := recover(); r != nil {
			db, err = nil, &damage{ReasonCorrupt, fmt.Errorf("opening it panicked: %v", r)}
		}
	}()
	return pebble.Open(dir, options)
}

// damageOf tells a store that cannot be read from a disk that cannot be. The system's own errors speak of the disk, except that a
// file of the store is missing; everything else was said by a decoder.
func damageOf(err error) error {
	if _, already := errors.AsType[*damage](err); already {
		return err
	}
	if strings.Contains(err.Error(), "unknown format major version") { // Pebble has no name for it
		return &damage{ReasonNewerFormat, err}
	}
	number, system := errors.AsType[syscall.Errno](err)
	missing := errors.Is(err, fs.ErrNotExist)
	if system && number != syscall.ENOENT || !missing && isPathError(err) {
		return err
	}
	return &damage{ReasonCorrupt, err}
}

func isPathError(err error) bool {
	_, is := errors.AsType[*fs.PathError](err)
	return is
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
			return &damage{ReasonNewerFormat, err}
		}
		if err != nil {
			return &damage{ReasonForeign, err}
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
		return &damage{ReasonForeign, errors.New("it has rows, but no format of ours")}
	}
	return db.Set(key, appendFormat(nil, formatCurrent), pebble.Sync)
}

// moveAside renames the locked directory to <dir>.corrupt-<n>, says so, and makes and locks a new one in its place.
func (s *Store) moveAside(lock *pebble.Lock, d *damage) (*pebble.Lock, error) {
	dir, disk := s.cfg.dir(), s.disk
	var aside string
	for n := 1; ; n++ {
		aside = fmt.Sprintf("%s.corrupt-%d", dir, n)
		if _, err := disk.Stat(aside); errors.Is(err, fs.ErrNotExist) {
			break
		} else if err != nil {
			_ = lock.Close()
			return nil, openFault(dir, "look for a free name to move it to", err)
		}
	}
	err := disk.Rename(dir, aside)
	_ = lock.Close() // held until here, so that no other process opens what is being moved
	if err == nil {
		err = disk.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return nil, openFault(dir, "move it aside to "+aside, errors.Join(err, d))
	}
	s.rebuilt = &Rebuilt{Partition: -1, Reason: d.reason, MovedTo: aside, Cause: d.cause}
	s.log.Error("the state store cannot be used and was moved aside; all state is built anew from the journal",
		"dir", dir, "reason", d.reason, "moved_to", aside, "error", d.cause)
	s.cfg.Observe.rebuilt(*s.rebuilt)
	return lockDir(dir, disk)
}
