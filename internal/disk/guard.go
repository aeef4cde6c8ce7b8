package disk

import (
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// guard stands between Pebble and the file system, for two reasons.
//
// Pebble does not survive a disk that fails. A write-ahead log that cannot be written makes it panic with its locks held, in a way that ends
// the process whatever is recovered. A manifest that cannot be written leaves it with structures half changed, over which compactions
// panic later. Its Open repeats a flush that fails for ever, and where it gives up leaves goroutines behind that panic. Only a table that
// cannot be written is handled, once it runs. So in all other cases the guard marks the store failed, and from then on Pebble lives in a
// dream: each change succeeds and none is made. On disk everything stays as it was at that moment, at worst a log with a torn end, which the next open reads
// up to there. Each call of the store looks at its health before it believes Pebble.
//
// A batch that need not be on disk stays in Pebble's own memory until 32 KiB have come together, and is lost when the process is killed.
// So each batch asks for a sync, and the guard leaves the sync of a log until its file is closed, which is before the next log begins. A
// batch is with the operating system when Store returns: it survives the process, not the machine. After a power cut the last log ends
// early somewhere; those before it are whole. (Logs must not carry sync offsets for this: see formatPebble.)
type guard struct {
	vfs.FS
	h *health
}

// pace is the pause after a write that failed and is repeated: Pebble repeats a flush at once, as often as it fails.
const pace = 50 * time.Millisecond

func isLog(name string) bool   { return strings.HasSuffix(name, ".log") }
func isTable(name string) bool { return strings.HasSuffix(name, ".sst") }

// Create creates a file; it fails for a table alone.
func (g *guard) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return g.file(name, func() (vfs.File, error) { return g.FS.Create(name, category) })
}

// ReuseForWrite recycles a log; it never fails.
func (g *guard) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return g.file(name, func() (vfs.File, error) { return g.FS.ReuseForWrite(old, name, category) })
}

func (g *guard) file(name string, create func() (vfs.File, error)) (vfs.File, error) {
	if g.dreams() {
		return g.dream(name), nil
	}
	file, err := create()
	if err == nil {
		return &guarded{File: file, g: g, log: isLog(name), table: isTable(name)}, nil
	}
	if g.final(isTable(name), "create a file", err) {
		return g.dream(name), nil
	}
	g.pause()
	return nil, err
}

// final takes the error of a change, and tells whether that was the end of the store. It is not where Pebble can live with the error, which
// is with tables, once it runs.
func (g *guard) final(lives bool, doing string, err error) bool {
	if lives && g.h.running.Load() {
		return g.dreams()
	}
	g.h.fail(doing, err)
	return true
}

// dreams tells whether the store has failed.
func (g *guard) dreams() bool { return g.h.failed.Load() != nil }

// dream gives a file that takes everything and keeps nothing.
func (g *guard) dream(name string) vfs.File {
	return &guarded{File: vfs.NewMemFile(nil), g: g, log: isLog(name), table: isTable(name)}
}

// change makes a change of the directory, unless it is dreamt.
func (g *guard) change(do func() error) error {
	if g.dreams() {
		return nil
	}
	err := do()
	if err != nil && !errors.Is(err, os.ErrNotExist) && g.final(true, "change the directory", err) {
		return nil
	}
	return err
}

// List lists a directory.
func (g *guard) List(name string) ([]string, error) {
	names, err := g.FS.List(name)
	if err != nil && g.final(true, "list the directory", err) {
		return nil, nil
	}
	return names, err
}

// Remove removes a file.
func (g *guard) Remove(name string) error {
	return g.change(func() error { return g.FS.Remove(name) })
}

// RemoveAll removes a tree.
func (g *guard) RemoveAll(name string) error {
	return g.change(func() error { return g.FS.RemoveAll(name) })
}

// Rename renames a file.
func (g *guard) Rename(old, name string) error {
	return g.change(func() error { return g.FS.Rename(old, name) })
}

// Link gives a file another name.
func (g *guard) Link(old, name string) error {
	return g.change(func() error { return g.FS.Link(old, name) })
}

// OpenDir opens a directory for syncing.
func (g *guard) OpenDir(name string) (vfs.File, error) {
	dir, err := g.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &guardedDir{File: dir, g: g}, nil
}

// Unwrap gives the file system beneath.
func (g *guard) Unwrap() vfs.FS { return g.FS }

func (g *guard) pause() {
	wait := time.NewTimer(pace)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-g.h.closing:
	}
}

// guarded is a file that Pebble writes.
type guarded struct {
	vfs.File
	g     *guard
	log   bool
	table bool
	dirty atomic.Bool // a log with a sync left to do; Pebble's log writer sets it, whoever rotates the log looks
}

// Write writes all of p, or dreams it.
func (f *guarded) Write(p []byte) (int, error) {
	if f.g.dreams() {
		return len(p), nil
	}
	if f.log {
		f.dirty.Store(true)
	}
	n, err := f.File.Write(p)
	if err == nil || f.g.final(f.table, "write a file", err) {
		return len(p), nil
	}
	f.g.pause()
	return n, err
}

// Sync syncs; a log later.
func (f *guarded) Sync() error { return f.sync(f.File.Sync) }

// SyncData syncs; a log later.
func (f *guarded) SyncData() error { return f.sync(f.File.SyncData) }

func (f *guarded) sync(sync func() error) error {
	if f.log || f.g.dreams() {
		return nil
	}
	return f.ended("sync a file", sync())
}

// ended hides an error that was the end.
func (f *guarded) ended(doing string, err error) error {
	if err != nil && f.g.final(f.table, doing, err) {
		return nil
	}
	return err
}

// SyncTo asks the system to begin writing out.
func (f *guarded) SyncTo(length int64) (bool, error) {
	if f.g.dreams() {
		return true, nil
	}
	full, err := f.File.SyncTo(length)
	return full, f.ended("sync a file", err)
}

// Preallocate reserves room; nobody looks at its error.
func (f *guarded) Preallocate(offset, length int64) error {
	if f.g.dreams() {
		return nil
	}
	return f.File.Preallocate(offset, length)
}

// Stat describes the file.
func (f *guarded) Stat() (vfs.FileInfo, error) {
	info, err := f.File.Stat()
	if err != nil && f.g.final(f.table, "look at a file", err) {
		return vfs.NewMemFile(nil).Stat()
	}
	return info, err
}

// Close closes; a log is synced first.
func (f *guarded) Close() error {
	if f.log && f.dirty.Load() && !f.g.dreams() {
		_ = f.ended("sync a log", f.File.Sync())
	}
	return f.ended("close a file", f.File.Close())
}

// guardedDir is a directory that Pebble syncs. Its sync never fails for Pebble, which panics where it has just moved a marker.
type guardedDir struct {
	vfs.File
	g *guard
}

// Sync syncs the directory.
func (d *guardedDir) Sync() error {
	if d.g.dreams() {
		return nil
	}
	if err := d.File.Sync(); err != nil {
		d.g.h.fail("sync the directory", err)
	}
	return nil
}
