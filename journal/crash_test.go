package journal_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/journal"
)

// A power cut may lose the newest batches. What is left of each partition is an earlier moment of it, in which states, answers and offset
// agree; the store is not given up for that, and goes on from there.
func TestPowerCut(t *testing.T) {
	seeds := uint64(15)
	if testing.Short() {
		seeds = 4
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { powerCut(t, seed) })
	}
}

func powerCut(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	disk := vfs.NewCrashableMem()
	cfg := journal.Config{Dir: "state", FS: disk, WriteBufferBytes: 64 << uint(10+rng.IntN(6))}
	const partitions = 3
	var done [partitions]int
	for range 3 {
		s := open(t, cfg)
		if r, rebuilt := s.Rebuilt(); rebuilt {
			t.Fatalf("given up after a power cut: %+v", r)
		}
		g := openGroup(t, s)
		var stored [partitions]atomic.Int64
		for p := range int32(partitions) {
			at, _ := g.Checkpoint(p)
			n := int(at.Next) / 3
			if at.Wiped != "" || n > done[p] {
				t.Fatalf("partition %d is at batch %d, %d were stored; wiped %q", p, n, done[p], at.Wiped)
			}
			wantBatches(t, g, p, n, done[p])
			stored[p].Store(int64(n))
		}
		disk = storeUntilCut(t, g, &stored, disk, rng)
		for p := range partitions {
			done[p] = int(stored[p].Load())
		}
		cfg.FS = disk
		closeStore(t, s)
	}
}

// storeUntilCut stores in all partitions beside each other and takes what a power cut would leave, at some moment.
func storeUntilCut(t *testing.T, g *journal.GroupStore, stored *[3]atomic.Int64, disk *vfs.MemFS, rng *rand.Rand) *vfs.MemFS {
	batches, cutAt, percent := 30+rng.IntN(100), rng.IntN(90), rng.IntN(101)
	var all sync.WaitGroup
	var count atomic.Int64
	cut := make(chan struct{})
	for p := range int32(len(stored)) {
		all.Go(func() {
			for range batches {
				n := int(stored[p].Load()) + 1
				c := batch(p, n)
				c.States = append(c.States, muster.StoredState{AggregateID: "ballast", Revision: 1, Offset: 0, Data: make([]byte, 3000)})
				if err := g.Store(t.Context(), []muster.Changes{c}); err != nil {
					t.Errorf("Store: %v", err)
					return
				}
				stored[p].Store(int64(n))
				if count.Add(1) == int64(cutAt) {
					close(cut)
				}
			}
		})
	}
	if cutAt > 0 {
		<-cut
	}
	left := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
	all.Wait()
	return left
}

// After a power cut in the middle of dropping a partition its rows are there as they were, or gone; its neighbours stay what they are.
func TestPowerCutWhileDropping(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 2))
		disk := vfs.NewCrashableMem()
		clock := noon
		s := open(t, journal.Config{Dir: "state", FS: disk, WriteBufferBytes: 64 << 10, Now: func() time.Time { return clock }})
		g := openGroup(t, s)
		for n := 1; n <= 40; n++ {
			mustStore(t, g, batch(0, n), batch(1, n), batch(2, n))
		}
		g.Release(1)
		clock = clock.Add(time.Hour)
		var drop sync.WaitGroup
		drop.Go(func() {
			if err := g.Expire(t.Context(), clock); err != nil {
				t.Errorf("Expire: %v", err)
			}
			if err := g.Reset(2, "test"); err != nil {
				t.Errorf("Reset: %v", err)
			}
		})
		if seed%2 == 0 {
			drop.Wait()
		}
		left := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		drop.Wait()
		closeStore(t, s)

		s = open(t, journal.Config{Dir: "state", FS: left})
		if r, rebuilt := s.Rebuilt(); rebuilt {
			t.Fatalf("seed %d: given up: %+v", seed, r)
		}
		g = openGroup(t, s)
		for p := range int32(3) {
			at, _ := g.Checkpoint(p)
			wantBatches(t, g, p, int(at.Next)/3, 40)
		}
		closeStore(t, s)
	}
}
