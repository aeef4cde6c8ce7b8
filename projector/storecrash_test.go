package projector_test

import (
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seed-3eec0498/muster/projector"
)

// A power cut may take the newest batches. What is left is an earlier moment of the view, and goes on from there to what is made from the
// beginning; the store is not given up.
func TestStorePowerCut(t *testing.T) {
	fresh := killView()
	whole := openStore(t, projector.StoreConfig{Views: []projector.AnyView{fresh}})
	noError(t, killRun(t.Context(), whole, fresh, func(string, int) {}))
	want := everything(t, fresh, whole)
	seeds := uint64(4)
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 5))
		disk := vfs.NewCrashableMem()
		v := killView()
		open := func() *projector.Store {
			return openStore(t, projector.StoreConfig{
				Views: []projector.AnyView{v}, Dir: "views", FS: disk, WriteBufferBytes: 64 << uint(10+rng.IntN(4)),
				Observe: projector.StoreObserve{Rebuilt: func(r projector.StoreRebuilt) { t.Errorf("seed %d: given up: %+v", seed, r) }},
			})
		}
		var left *vfs.MemFS
		cut := 1 + rng.IntN(400)
		s := open()
		noError(t, killRun(t.Context(), s, v, func(_ string, batch int) {
			if batch == cut && left == nil {
				left = disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
			}
		}))
		noError(t, s.Close())
		disk = left
		s = open()
		noError(t, killRun(t.Context(), s, v, func(string, int) {}))
		if got := everything(t, v, s); got != want {
			t.Fatalf("seed %d: after a power cut the view is\n%s\nmade from the beginning it is\n%s", seed, got, want)
		}
		noError(t, s.Close())
	}
}
