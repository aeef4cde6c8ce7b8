package journal_test

import (
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/seed-3eec0498/muster/journal"
)

// countdown fails the n-th operation on the disk, and if lasting all after it.
type countdown struct {
	left    atomic.Int64
	lasting bool
}

// String names the injector.
func (c *countdown) String() string { return "countdown" }

// MaybeError counts.
func (c *countdown) MaybeError(op errorfs.Op) error {
	if op.Kind == errorfs.OpGetDiskUsage {
		return nil
	}
	if left := c.left.Add(-1); left == 0 || left < 0 && c.lasting {
		return &os.PathError{Op: "test", Path: op.Path, Err: syscall.EIO}
	}
	return nil
}

// Each operation on the disk fails once, and once it and all after it: the process lives, each call answers with an error of this package
// or is right, and what is found afterwards is a moment of the past in which everything agrees.
func TestSweepOfDiskErrors(t *testing.T) {
	healthy := &countdown{}
	healthy.left.Store(1 << 40)
	if stored, err := sweepRun(t, vfs.NewMem(), healthy); err != nil || stored == 0 {
		t.Fatalf("without faults: %d stored, %v", stored, err)
	}
	operations := 1<<40 - healthy.left.Load()
	if operations < 200 {
		t.Fatalf("only %d operations; the run does too little", operations)
	}
	for n := int64(1); n <= operations; n += 1 + operations/90 {
		for _, lasting := range []bool{false, true} {
			fault := &countdown{lasting: lasting}
			fault.left.Store(n)
			sweepOne(t, n, fault)
		}
	}
}

func sweepOne(t *testing.T, n int64, fault *countdown) {
	mem := vfs.NewMem()
	stored, err := sweepRun(t, mem, fault)
	if err != nil && (!errors.Is(err, journal.ErrStore) || !strings.Contains(err.Error(), "state")) {
		t.Fatalf("operation %d (lasting %v): %v", n, fault.lasting, err)
	}
	names, err := mem.List("")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.Contains(name, "corrupt") {
			t.Fatalf("operation %d (lasting %v): a disk that fails was taken for a damaged store", n, fault.lasting)
		}
	}
	s := open(t, journal.Config{Dir: "state", FS: mem})
	if r, rebuilt := s.Rebuilt(); rebuilt {
		t.Fatalf("operation %d (lasting %v): the next open had to give the store up: %v", n, fault.lasting, r.Cause)
	}
	g := openGroup(t, s)
	at, _ := g.Checkpoint(0)
	if at.Next > int64(3*(stored+1)) {
		t.Fatalf("operation %d (lasting %v): the store is at %d, %d batches were stored", n, fault.lasting, at.Next, stored)
	}
	wantBatches(t, g, 0, int(at.Next)/3, stored+1)
	closeStore(t, s)
}

// sweepRun does a bit of everything and gives how many batches were stored, and the first error.
func sweepRun(t *testing.T, mem vfs.FS, fault errorfs.Injector) (stored int, first error) {
	note := func(err error) {
		if first == nil {
			first = err
		}
	}
	cfg := journal.Config{Dir: "state", FS: fresh{errorfs.Wrap(mem, fault)}, WriteBufferBytes: 64 << 10, CacheBytes: 1}
	for range 2 { // the second time there is something to read back
		s, err := journal.Open(cfg)
		if err != nil {
			note(err)
			continue
		}
		g, err := s.Group(accounts, "", nil)
		at := journal.Checkpoint{}
		if err == nil {
			at, err = g.Open(0)
		}
		if err == nil {
			stored = int(at.Next) / 3 // the batch that failed may be there all the same
			stored, err = storeUntil(t.Context(), g, stored+1, stored+12)
		}
		if err == nil {
			if err = g.Ingest(t.Context(), heavy(0, stored+1)); err == nil {
				stored++
			}
		}
		note(err)
		if err == nil {
			_, err = g.Load(0, "ballast")
			note(err)
			_, _, err = g.Answered(0, commandID(1, 2))
			note(err)
		}
		note(s.Close())
	}
	return stored, first
}
