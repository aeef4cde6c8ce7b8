package journal_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/journal"
)

// mountSmall gives a directory on a file system of 32 MB.
func mountSmall(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=32m"); err != nil {
		t.Skipf("mounting a small file system needs root and the right to mount: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// A real file system that is full: with a reserve the store waits for room and goes on by itself; without one it may fail, says so, and is
// right after the next open. In both cases nothing is lost that was stored before, and the process lives.
func TestFileSystemFull(t *testing.T) {
	for name, reserve := range map[string]int64{"with a reserve": 0, "without": -1} {
		t.Run(name, func(t *testing.T) {
			root := mountSmall(t)
			cfg := journal.Config{Dir: filepath.Join(root, "state"), ReserveBytes: reserve, WriteBufferBytes: 1 << 20}
			s := open(t, cfg)
			g := openGroup(t, s)
			ballast := filepath.Join(root, "ballast")
			if err := os.WriteFile(ballast, make([]byte, 20<<20), 0o600); err != nil {
				t.Fatal(err)
			}
			// Each batch writes other aggregates, so that compaction cannot make room.
			n, err := 0, error(nil)
			for ; err == nil && n < 100_000; n++ {
				err = g.Store(t.Context(), []muster.Changes{wide(n)})
			}
			n-- // the one that failed
			if !errors.Is(err, journal.ErrFull) {
				t.Fatalf("after %d batches Store answers %v", n, err)
			}
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
			if g.Failed() != nil {
				if reserve == 0 {
					t.Fatalf("the reserve did not suffice: %v", err)
				}
				if err := s.Close(); !errors.Is(err, journal.ErrFull) {
					t.Fatalf("Close answers %v", err)
				}
				s = open(t, cfg)
				if r, rebuilt := s.Rebuilt(); rebuilt {
					t.Fatalf("given up: %v", r.Cause)
				}
				g = openGroup(t, s)
				at, _ := g.Checkpoint(0)
				n = int(at.Next)
			}
			deadline := time.Now().Add(90 * time.Second)
			for err = journal.ErrFull; errors.Is(err, journal.ErrFull) && time.Now().Before(deadline); {
				err = g.Store(t.Context(), []muster.Changes{wide(n)})
			}
			if err != nil {
				t.Fatal(err)
			}
			for i := range n + 1 {
				want := wide(i).States[0]
				if got, err := g.Load(0, want.AggregateID); err != nil || got.Revision != 1 || len(got.Data) != len(want.Data) {
					t.Fatalf("batch %d of %d: %d bytes, %v", i, n, len(got.Data), err)
				}
			}
		})
	}
}

// wide is a batch with an aggregate of its own that does not compress.
func wide(n int) muster.Changes {
	state := make([]byte, 10_000)
	seed := uint64(n) + 1
	for i := range state {
		seed = seed*6364136223846793005 + 1442695040888963407
		state[i] = byte(seed >> 56)
	}
	return muster.Changes{Next: int64(n) + 1, Time: noon, States: []muster.StoredState{{AggregateID: aggregateID(n), Revision: 1, Offset: int64(n), Data: state}}}
}
