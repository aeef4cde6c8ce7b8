package sim

import (
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// disk is what one life of a process keeps its stores on. It outlives the process, but for what a crash takes.
type disk struct {
	vfs.FS
	memory *vfs.MemFS
	broken atomic.Int64 // the number of the error with which writing fails; 0: none
}

func newDisk(memory *vfs.MemFS) *disk {
	d := &disk{memory: memory}
	d.FS = noReuse{errorfs.Wrap(memory, d)}
	return d
}

// String names the injector.
func (d *disk) String() string { return "disk" }

// MaybeError implements errorfs.Injector: a broken disk takes no writes to logs and tables.
func (d *disk) MaybeError(op errorfs.Op) error {
	number := d.broken.Load()
	if number == 0 || !strings.HasSuffix(op.Path, ".log") && !strings.HasSuffix(op.Path, ".sst") {
		return nil
	}
	switch op.Kind {
	case errorfs.OpCreate, errorfs.OpFileWrite, errorfs.OpFileSync, errorfs.OpFileSyncData:
		return &os.PathError{Op: "write", Path: op.Path, Err: syscall.Errno(number)}
	default:
		return nil
	}
}

// crashed gives what a loss of power leaves, with so many percent of what was not synced, and a copy of the same to look into.
func (d *disk) crashed(keep int, rng *rand.Rand) (left *disk, evidence *vfs.MemFS) {
	memory := d.memory.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: keep, RNG: rng})
	return newDisk(memory), memory.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rng})
}

// noReuse is a file system that recycles no files, since errorfs fails none of those.
type noReuse struct{ vfs.FS }

// ReuseForWrite makes a new file.
func (f noReuse) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.Create(name, category)
	if err == nil {
		err = f.Remove(old)
	}
	return file, err
}
