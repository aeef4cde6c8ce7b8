package journal_test

import (
	"os"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

func newMem() vfs.FS { return vfs.NewMem() }

// disk is a file system in memory that can be short of room, and fail.
type disk struct {
	vfs.FS
	free atomic.Int64 // what GetDiskUsage says; negative: it cannot tell
}

func newDisk(fs vfs.FS) *disk {
	d := &disk{FS: fs}
	d.free.Store(-1)
	return d
}

// GetDiskUsage tells what the test has set.
func (d *disk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	free := d.free.Load()
	if free < 0 {
		return vfs.DiskUsage{}, vfs.ErrUnsupported
	}
	return vfs.DiskUsage{AvailBytes: uint64(free), TotalBytes: 1 << 30}, nil
}

// failing is a switch: while it is on, operations that match fail with the error.
type failing struct {
	on     atomic.Bool
	times  atomic.Int64
	match  func(op errorfs.Op) bool
	number syscall.Errno
}

// String names the injector.
func (f *failing) String() string { return "failing" }

// MaybeError fails what matches.
func (f *failing) MaybeError(op errorfs.Op) error {
	if !f.on.Load() || !f.match(op) {
		return nil
	}
	f.times.Add(1)
	return &os.PathError{Op: "test", Path: op.Path, Err: f.number}
}

// fresh is a file system that recycles no files, since errorfs fails none of those.
type fresh struct{ vfs.FS }

// ReuseForWrite makes a new file.
func (f fresh) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.Create(name, category)
	if err == nil {
		err = f.Remove(old)
	}
	return file, err
}

func onFiles(suffix string, kinds ...errorfs.OpKind) func(errorfs.Op) bool {
	return func(op errorfs.Op) bool {
		if suffix != "" && !strings.Contains(op.Path, suffix) {
			return false
		}
		for _, k := range kinds {
			if op.Kind == k {
				return true
			}
		}
		return len(kinds) == 0
	}
}
