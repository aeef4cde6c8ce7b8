package disk

import "github.com/cockroachdb/pebble/v2/vfs"

// unsyncedFS waits for no disk: what lies there is of no use after a crash.
type unsyncedFS struct{ vfs.FS }

// Create implements vfs.FS.
func (u unsyncedFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return unsynced(u.FS.Create(name, c))
}

// OpenReadWrite implements vfs.FS.
func (u unsyncedFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return unsynced(u.FS.OpenReadWrite(name, c, opts...))
}

// OpenDir implements vfs.FS.
func (u unsyncedFS) OpenDir(name string) (vfs.File, error) { return unsynced(u.FS.OpenDir(name)) }

// ReuseForWrite implements vfs.FS.
func (u unsyncedFS) ReuseForWrite(before, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return unsynced(u.FS.ReuseForWrite(before, name, c))
}

func unsynced(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return unsyncedFile{f}, nil
}

type unsyncedFile struct{ vfs.File }

// Sync implements vfs.File.
func (unsyncedFile) Sync() error { return nil }

// SyncData implements vfs.File.
func (unsyncedFile) SyncData() error { return nil }

// SyncTo implements vfs.File.
func (unsyncedFile) SyncTo(int64) (bool, error) { return true, nil }
