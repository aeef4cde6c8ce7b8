package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
)

// rottenMarker is a file that says: corruption was met while the store was open, do not read it again.
const rottenMarker = "MUSTER-REBUILD"

// Damage is a store that cannot be read, whoever tries, and is given up. Everything in it comes back from the journal.
type Damage struct {
	Reason string
	Cause  error
}

// Error gives reason and cause.
func (d *Damage) Error() string { return d.Reason + ": " + d.Cause.Error() }

// Unwrap gives the cause.
func (d *Damage) Unwrap() error { return d.Cause }

// Open opens the directory for this process alone: a second opener gets Words.Locked. A damaged store is moved aside to <dir>.corrupt-<n>, once, and begun
// anew. Words.Full and Words.Store speak of the disk. Close it.
func Open(cfg Config) (*Disk, error) {
	d := &Disk{cfg: cfg, FS: cfg.FS}
	if err := d.FS.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, d.openFault("make it", err)
	}
	lock, err := d.lockDir()
	if err != nil {
		return nil, err
	}
	err = d.openPebble(lock)
	if damage, damaged := errors.AsType[*Damage](err); damaged {
		lock, err = d.moveAside(lock, damage)
		if err != nil {
			return nil, err
		}
		err = d.openPebble(lock)
	}
	if err != nil {
		_ = lock.Close()
		return nil, d.openFault("open it", err)
	}
	d.lock = lock
	return d, nil
}

func (d *Disk) openFault(doing string, err error) error {
	w := &d.cfg.Words
	f := d.fault(w.Store, doing, err, w.NextFailed)
	if IsFull(err) {
		f.Kind, f.Next = w.Full, w.NextFull
	}
	return f
}

func (d *Disk) lockDir() (*pebble.Lock, error) {
	lock, err := pebble.LockDirectory(d.cfg.Dir, d.FS)
	if err == nil {
		return lock, nil
	}
	_, onPath := errors.AsType[*fs.PathError](err) // the lock file cannot be made; who holds a lock is told by a bare number or text
	if onPath || IsFull(err) {
		return nil, d.openFault("lock it", err)
	}
	return nil, d.fault(d.cfg.Words.Locked, "lock it", err, d.cfg.Words.NextLocked)
}

// openPebble opens Pebble in the locked directory and checks that the store in it is one of ours, or new.
func (d *Disk) openPebble(lock *pebble.Lock) (err error) {
	words := &d.cfg.Words
	switch _, err := d.FS.Stat(d.FS.PathJoin(d.cfg.Dir, rottenMarker)); {
	case err == nil:
		return &Damage{words.ReasonCorrupt, errors.New("corruption was met when it was open last")}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	d.health = newHealth(&d.cfg)
	options := pebbleOptions(&d.cfg, &guard{FS: d.FS, h: d.health}, d.health, lock)
	defer options.Cache.Unref()
	db, err := d.recoverOpen(options)
	if err == nil {
		err = d.cfg.Check(db)
	}
	if f := d.health.failed.Load(); f != nil {
		err = f.Cause // whatever else was seen: Pebble goes on where it expects the process to end
	} else if d.health.rotten.Load() {
		err = errors.Join(err, &Damage{words.ReasonCorrupt, errors.New("corruption was met while it was opened")})
	}
	if err != nil {
		if db != nil {
			_ = db.Close()
		}
		return d.damageOf(err)
	}
	d.DB = db
	complete := options.Clone()
	complete.EnsureDefaults()
	d.Tables = complete.MakeWriterOptions(0, db.TableFormat())
	d.health.running.Store(true)
	return nil
}

// recoverOpen opens Pebble. A log with nonsense in it makes Pebble panic.
func (d *Disk) recoverOpen(options *pebble.Options) (db *pebble.DB, err error) {
	defer func() {
		if r := recover(); r != nil {
			db, err = nil, &Damage{d.cfg.Words.ReasonCorrupt, fmt.Errorf("opening it panicked: %v", r)}
		}
	}()
	return pebble.Open(d.cfg.Dir, options)
}

// damageOf tells a store that cannot be read from a disk that cannot be. The system's own errors speak of the disk, except that a
// file of the store is missing; everything else was said by a decoder.
func (d *Disk) damageOf(err error) error {
	if _, already := errors.AsType[*Damage](err); already {
		return err
	}
	if strings.Contains(err.Error(), "unknown format major version") { // Pebble has no name for it
		return &Damage{d.cfg.Words.ReasonNewerFormat, err}
	}
	number, system := errors.AsType[syscall.Errno](err)
	missing := errors.Is(err, fs.ErrNotExist)
	if system && number != syscall.ENOENT || !missing && isPathError(err) {
		return err
	}
	return &Damage{d.cfg.Words.ReasonCorrupt, err}
}

func isPathError(err error) bool {
	_, is := errors.AsType[*fs.PathError](err)
	return is
}

// moveAside renames the locked directory to <dir>.corrupt-<n>, says so, and makes and locks a new one in its place.
func (d *Disk) moveAside(lock *pebble.Lock, damage *Damage) (*pebble.Lock, error) {
	dir, disk := d.cfg.Dir, d.FS
	var aside string
	for n := 1; ; n++ {
		aside = fmt.Sprintf("%s.corrupt-%d", dir, n)
		if _, err := disk.Stat(aside); errors.Is(err, fs.ErrNotExist) {
			break
		} else if err != nil {
			_ = lock.Close()
			return nil, d.openFault("look for a free name to move it to", err)
		}
	}
	err := disk.Rename(dir, aside)
	_ = lock.Close() // held until here, so that no other process opens what is being moved
	if err == nil {
		err = disk.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return nil, d.openFault("move it aside to "+aside, errors.Join(err, damage))
	}
	d.cfg.Tell.MovedAside(damage.Reason, aside, damage.Cause)
	return d.lockDir()
}
