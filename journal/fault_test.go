package journal_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/journal"
)

// heavy is batch with enough in it to make the store write out and rotate its log every few batches.
func heavy(p int32, n int) muster.Changes {
	c := batch(p, n)
	c.States = append(c.States, muster.StoredState{AggregateID: "ballast", Revision: 1, Offset: 0, Data: make([]byte, 20_000)})
	return c
}

// storeUntil stores batches until one fails, at most up to the given one.
func storeUntil(ctx context.Context, g *journal.GroupStore, from, to int) (stored int, err error) {
	for n := from; n <= to; n++ {
		if err := g.Store(ctx, []muster.Changes{heavy(0, n)}); err != nil {
			return n - 1, err
		}
	}
	return to, nil
}

// A log that cannot be written is what Pebble ends the process for. Here the store fails, and nothing else does.
func TestLogCannotBeWritten(t *testing.T) {
	for _, number := range []syscall.Errno{syscall.ENOSPC, syscall.EIO} {
		for name, match := range map[string]func(errorfs.Op) bool{
			"write":     onFiles(".log", errorfs.OpFileWrite),
			"sync":      onFiles(".log", errorfs.OpFileSync, errorfs.OpFileSyncData),
			"create":    onFiles(".log", errorfs.OpCreate),
			"directory": func(op errorfs.Op) bool { return op.Kind == errorfs.OpFileSync && op.Path == "state" },
			"manifest":  onFiles("MANIFEST", errorfs.OpFileWrite, errorfs.OpFileSync),
		} {
			t.Run(fmt.Sprint(name, " ", number), func(t *testing.T) { logCannotBeWritten(t, match, number) })
		}
	}
}

func logCannotBeWritten(t *testing.T, match func(errorfs.Op) bool, number syscall.Errno) {
	fault := &failing{match: match, number: number}
	mem := vfs.NewMem()
	var told atomic.Int64
	cfg := journal.Config{
		Dir: "state", FS: fresh{errorfs.Wrap(mem, fault)}, WriteBufferBytes: 64 << 10,
		Observe: journal.Observe{Failed: func(error) { told.Add(1) }},
	}
	s := open(t, cfg)
	g := openGroup(t, s)
	before, err := storeUntil(t.Context(), g, 1, 20)
	if err != nil {
		t.Fatal(err)
	}
	fault.on.Store(true)
	want := journal.ErrStore
	if number == syscall.ENOSPC {
		want = journal.ErrFull
	}
	stored, err := storeUntil(t.Context(), g, before+1, before+1000)
	if !errors.Is(err, want) || !errors.Is(err, number) || !strings.Contains(err.Error(), "state directory state") || !strings.Contains(err.Error(), "restart") {
		t.Fatalf("Store answers %v", err)
	}
	fault.on.Store(false) // failed for good, all the same
	_, loadErr := g.Load(0, "acc-0")
	_, _, answerErr := g.Answered(0, commandID(1, 1))
	for _, err := range []error{loadErr, answerErr, g.Store(t.Context(), []muster.Changes{heavy(0, stored+1)}), g.Failed(), s.Close()} {
		if !errors.Is(err, want) {
			t.Fatalf("after the failure: %v", err)
		}
	}
	if told.Load() != 1 {
		t.Fatalf("Observe.Failed was called %d times", told.Load())
	}
	// What is on disk is a moment before the failure, and is read as such.
	s = open(t, journal.Config{Dir: "state", FS: mem})
	if r, rebuilt := s.Rebuilt(); rebuilt {
		t.Fatalf("the store was given up: %v", r.Cause)
	}
	g = openGroup(t, s)
	at, _ := g.Checkpoint(0)
	n := int(at.Next) / 3
	if n > stored+1 {
		t.Fatalf("%d batches are there, %d were stored", n, stored)
	}
	wantBatches(t, g, 0, n, stored+1)
	if _, err := storeUntil(t.Context(), g, n+1, n+30); err != nil {
		t.Fatal(err)
	}
}

// A disk that is full for tables is waited for: Store says so, and works again once there is room, without a restart.
func TestDiskFullForAWhile(t *testing.T) {
	fault := &failing{match: onFiles(".sst", errorfs.OpCreate, errorfs.OpFileWrite), number: syscall.ENOSPC}
	s := open(t, journal.Config{Dir: "state", FS: errorfs.Wrap(vfs.NewMem(), fault), WriteBufferBytes: 64 << 10})
	g := openGroup(t, s)
	fault.on.Store(true)
	stored, err := storeUntil(t.Context(), g, 1, 10_000)
	if !errors.Is(err, journal.ErrFull) || !strings.Contains(err.Error(), "goes on by itself") {
		t.Fatalf("Store answers %v", err)
	}
	wantBatches(t, g, 0, stored, stored+1)
	if g.Failed() != nil {
		t.Fatal("being short of room is no failure")
	}
	fault.on.Store(false)
	deadline := time.Now().Add(90 * time.Second)
	for errors.Is(err, journal.ErrFull) && time.Now().Before(deadline) {
		err = g.Store(t.Context(), []muster.Changes{heavy(0, stored+1)})
	}
	if err != nil {
		t.Fatal(err)
	}
	wantBatches(t, g, 0, stored+1, stored+1)
}

func TestReserve(t *testing.T) {
	disk := newDisk(vfs.NewMem())
	disk.free.Store(1 << 29)
	g := openGroup(t, open(t, journal.Config{Dir: "state", FS: disk, ReserveBytes: 1 << 20}))
	mustStore(t, g, batch(0, 1))
	disk.free.Store(1<<20 - 1)
	err := g.Store(t.Context(), []muster.Changes{batch(0, 2)})
	if !errors.Is(err, journal.ErrFull) || !strings.Contains(err.Error(), "1048575 bytes are free") || g.Failed() != nil {
		t.Fatalf("Store answers %v", err)
	}
	wantBatches(t, g, 0, 1, 2)
	disk.free.Store(1 << 20)
	mustStore(t, g, batch(0, 2))
	wantBatches(t, g, 0, 2, 2)

	small := newDisk(vfs.NewMem())
	small.free.Store(0)
	mustStore(t, openGroup(t, open(t, journal.Config{Dir: "state", FS: small, ReserveBytes: -1})), batch(0, 1))
}

// gate is a file system whose tables are not created until it opens.
type gate struct {
	vfs.FS
	open   chan struct{}
	waited chan struct{} // room for one
}

// Create waits.
func (g *gate) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasSuffix(name, ".sst") {
		select {
		case g.waited <- struct{}{}:
		default:
		}
		<-g.open
	}
	return g.FS.Create(name, category)
}

// Where writing out does not keep up, Store waits: until it does, the context ends, or the store is closed.
func TestStoreWaitsForTheDisk(t *testing.T) {
	slow := &gate{FS: vfs.NewMem(), open: make(chan struct{}), waited: make(chan struct{}, 1)}
	s := open(t, journal.Config{Dir: "state", FS: slow, WriteBufferBytes: 1 << 20})
	g := openGroup(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	type result struct {
		stored int
		err    error
	}
	results := make(chan result)
	go func() {
		stored, err := storeUntil(ctx, g, 1, 2000)
		results <- result{stored, err}
	}()
	<-slow.waited
	select { // with the flush held up, the writer comes to rest on its own; then the context is what ends it
	case r := <-results:
		t.Fatalf("stored %d without waiting: %v", r.stored, r.err)
	case <-time.After(300 * time.Millisecond):
	}
	cancel()
	first := <-results
	if !errors.Is(first.err, context.Canceled) || errors.Is(first.err, journal.ErrStore) {
		t.Fatalf("Store answers %v", first.err)
	}
	go func() {
		stored, err := storeUntil(t.Context(), g, first.stored+1, first.stored+50)
		results <- result{stored, err}
	}()
	close(slow.open)
	if second := <-results; second.err != nil {
		t.Fatal(second.err)
	}
	wantBatches(t, g, 0, first.stored+50, first.stored+50)
}

func TestCloseEndsWaiting(t *testing.T) {
	slow := &gate{FS: vfs.NewMem(), open: make(chan struct{}), waited: make(chan struct{}, 1)}
	s := open(t, journal.Config{Dir: "state", FS: slow, WriteBufferBytes: 1 << 20})
	g := openGroup(t, s)
	result := make(chan error)
	go func() {
		_, err := storeUntil(t.Context(), g, 1, 100_000)
		result <- err
	}()
	<-slow.waited
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	if err := <-result; !errors.Is(err, journal.ErrClosed) {
		t.Fatalf("Store answers %v", err)
	}
	close(slow.open)
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
}

// A read that the disk refuses is no corruption, and may work the next time.
func TestReadFails(t *testing.T) {
	fault := &failing{match: onFiles(".sst", errorfs.OpFileReadAt), number: syscall.EIO}
	mem := vfs.NewMem()
	fill(t, mem, 60)
	s := open(t, journal.Config{Dir: "state", FS: fresh{errorfs.Wrap(mem, fault)}, CacheBytes: 1, WriteBufferBytes: 64 << 10})
	g := openGroup(t, s)
	fault.on.Store(true)
	_, err := g.Load(0, "ballast")
	if !errors.Is(err, journal.ErrStore) || errors.Is(err, journal.ErrCorrupt) || !strings.Contains(err.Error(), "load a state of accounts[0]") {
		t.Fatalf("Load answers %v", err)
	}
	fault.on.Store(false)
	wantBatches(t, g, 0, 60, 60)
}

// fill makes a store of n heavy batches in which nearly everything lies in tables.
func fill(t *testing.T, mem vfs.FS, n int) {
	t.Helper()
	s := open(t, journal.Config{Dir: "state", FS: mem, WriteBufferBytes: 64 << 10})
	if _, err := storeUntil(t.Context(), openGroup(t, s), 1, n); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
}
