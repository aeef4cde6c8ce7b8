package projector_test

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/mustertest"
	"github.com/seed-3eec0498/muster/projector"
)

// openStore opens a store, to be closed at the end of the test.
func openStore(t testing.TB, cfg projector.StoreConfig) *projector.Store {
	t.Helper()
	s, err := projector.OpenStore(cfg)
	if err != nil {
		t.Fatalf("OpenStore: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// rawViews are views of raw rows that hold still: totals@1 and totals@2.
func rawViews() (views []projector.AnyView, one, two *projector.View[muster.Raw]) {
	one = projector.NewView[muster.Raw]("totals")
	two = projector.NewView[muster.Raw]("totals", projector.Version(2))
	return []projector.AnyView{one, two}, one, two
}

// usage is a file system that says how much room there is.
type usage struct {
	vfs.FS
	full atomic.Bool
}

// GetDiskUsage tells what the test has set.
func (u *usage) GetDiskUsage(string) (vfs.DiskUsage, error) {
	if u.full.Swap(false) {
		return vfs.DiskUsage{TotalBytes: 1 << 30}, nil
	}
	return vfs.DiskUsage{AvailBytes: 1 << 30, TotalBytes: 1 << 30}, nil
}

func TestStoreTarget(t *testing.T) {
	mustertest.Target(t, func(t *testing.T) mustertest.TargetFixture {
		views, one, two := rawViews()
		fs := vfs.NewCrashableMem()
		room := &usage{FS: fs}
		cfg := projector.StoreConfig{Views: views, Dir: "views", FS: room}
		s := openStore(t, cfg)
		view := func(shard projector.Shard) *projector.View[muster.Raw] {
			if shard.Version == 2 {
				return two
			}
			return one
		}
		return mustertest.TargetFixture{
			Target: s,
			Put: func(tx any, shard projector.Shard, key, value string) error {
				return view(shard).Hand(tx).Put(key, muster.Raw(value))
			},
			Rows: func(shard projector.Shard) map[string]string {
				s.Serve(shard.Name, shard.Version, shard.Generation)
				rows := map[string]string{}
				only := func(q *projector.Query) { q.Shards = []int32{shard.Number} }
				for row, err := range view(shard).All(t.Context(), s, projector.Stale(), only) {
					switch {
					case muster.CodeOf(err) == muster.Unavailable: // a shard that was dropped
					case err != nil:
						t.Errorf("All: %v", err)
					default:
						rows[row.Key] = string(row.Value)
					}
				}
				return rows
			},
			Break: func() { room.full.Store(true) },
			Crash: func() projector.Target { // what the operating system has is all there after kill -9
				cfg.FS = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 2))})
				s = openStore(t, cfg)
				return s
			},
		}
	})
}
