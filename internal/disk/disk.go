package disk

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Disk is an open store. Whoever uses DB stands between Begin and End.
type Disk struct {
	DB     *pebble.DB            // read-only after Open
	FS     vfs.FS                // beneath the guard; read-only after Open
	Tables sstable.WriterOptions // of tables made to be ingested; read-only after Open

	cfg    Config
	lock   *pebble.Lock
	health *health

	use     sync.RWMutex // every call that touches DB holds it for reading; Close waits for them with it
	written atomic.Int64 // bytes written since room was last looked at
	marked  atomic.Bool  // the directory is marked for being given up

	mu     sync.Mutex // guards what follows
	closed bool       // set by the first Close
	result error      // what it answered
}

// Begin lets a call in. It must End unless there is an error.
func (d *Disk) Begin() error {
	d.use.RLock()
	if err := d.health.err(); err != nil {
		d.use.RUnlock()
		return err
	}
	return nil
}

// End lets a call out.
func (d *Disk) End() { d.use.RUnlock() }

// Err gives what every call answers from now on, or nil: the store has failed, or is closed.
func (d *Disk) Err() error { return d.health.err() }

// Failed gives the error that every call answers since the store has failed, and nil while it works. Being short of room is no failure as long as
// the reserve lasts.
func (d *Disk) Failed() error {
	if f := d.health.failed.Load(); f != nil {
		return f
	}
	return nil
}

// Passing gives the trouble of the last second, which may pass, or nil.
func (d *Disk) Passing() *Fault {
	if t := d.health.passing(); t != nil {
		return &t.Fault
	}
	return nil
}

// Steps gives a channel that is closed when background work ends or fails.
func (d *Disk) Steps() <-chan struct{} { return d.health.steps() }

// Closing gives a channel that Close closes first.
func (d *Disk) Closing() <-chan struct{} { return d.health.closing }

// Fault classifies the error of a read, or nil, and sees to it that corruption is not forgotten. A store that failed in the meantime makes
// the answer worthless, whatever it was.
func (d *Disk) Fault(doing string, err error) error {
	if f := d.Failed(); f != nil {
		return f
	}
	if err == nil {
		return nil
	}
	if IsCorrupt(err) {
		d.health.rot(err)
		d.mark()
	}
	return d.readFault(doing, err)
}

// Wrote counts bytes that were handed to Pebble.
func (d *Disk) Wrote(bytes int64) { d.written.Add(bytes) }

// mark leaves a file, once, that makes the next Open begin anew.
func (d *Disk) mark() {
	if d.marked.Swap(true) {
		return
	}
	file, err := d.FS.Create(d.FS.PathJoin(d.cfg.Dir, rottenMarker), vfs.WriteCategoryUnspecified)
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		d.cfg.Tell.Unmarked(err)
	}
}

// Close ends all calls in hand, writes what is held to the log on disk and gives the directory back. Closing again is harmless and gives
// the same answer.
func (d *Disk) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return d.result
	}
	d.closed = true
	close(d.health.closing)
	d.use.Lock()   // once it is had, whoever was in a call has left it, and whoever comes sees closing
	d.use.Unlock() //nolint:staticcheck // passing through is all that is wanted
	err := d.DB.Close()
	if d.health.rotten.Load() {
		d.mark()
	}
	err = errors.Join(err, d.lock.Close())
	switch failed := d.health.failed.Load(); {
	case failed != nil:
		d.result = failed
	case err != nil:
		d.result = d.fault(d.cfg.Words.Store, "close it", err, "check the disk; what was not written out comes back from the journal")
	}
	return d.result
}
