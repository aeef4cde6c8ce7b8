package projector_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

const (
	benchKeys  = 1_000_000
	benchBatch = 1000
)

func benchKey(i int) string { return fmt.Sprintf("account-%08d", i) }

// BenchmarkView writes one row per event over a million keys, in batches of a thousand; bare is a Pebble batch loop that writes the same rows.
func BenchmarkView(b *testing.B) {
	value := make([]byte, 60)
	keys := make([]string, 1<<20)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range keys {
		keys[i] = benchKey(rng.IntN(benchKeys))
	}
	b.Run("bare", func(b *testing.B) {
		db, err := pebble.Open(b.TempDir(), &pebble.Options{MemTableSize: 32 << 20, Logger: quiet{}})
		noError(b, err)
		b.Cleanup(func() { _ = db.Close() })
		b.ReportAllocs()
		for n := 0; n < b.N; {
			batch := db.NewBatch()
			for range min(benchBatch, b.N-n) {
				binary.BigEndian.PutUint64(value, uint64(n))
				noError(b, batch.Set([]byte(keys[n&(1<<20-1)]), value, nil))
				n++
			}
			noError(b, batch.Set([]byte("checkpoint"), value, nil))
			noError(b, batch.Commit(pebble.NoSync))
			noError(b, batch.Close())
		}
	})
	view := func(b *testing.B, fn func(r *projector.Rows[muster.Raw], n int) error) {
		v := projector.NewView[muster.Raw]("bench")
		s := openStore(b, projector.StoreConfig{Views: []projector.AnyView{v}, Dir: b.TempDir()})
		h := claim(b, s, shardOf(v, 0))
		b.ReportAllocs()
		for n := 0; n < b.N; {
			batch, err := h.Begin(b.Context())
			noError(b, err)
			running := &projector.Running{ID: "event"}
			for range min(benchBatch, b.N-n) {
				batch.Before(running)
				noError(b, fn(v.Hand(batch.Tx()), n))
				n++
			}
			at := projector.Checkpoint{Source: shardOf(v, 0).Sources[0], Next: int64(n)}
			noError(b, batch.Commit(b.Context(), projector.Change{Checkpoints: []projector.Checkpoint{at}}))
		}
	}
	b.Run("put", func(b *testing.B) {
		view(b, func(r *projector.Rows[muster.Raw], n int) error {
			binary.BigEndian.PutUint64(value, uint64(n))
			return r.Put(keys[n&(1<<20-1)], value)
		})
	})
	b.Run("update", func(b *testing.B) {
		view(b, func(r *projector.Rows[muster.Raw], n int) error {
			return r.Update(keys[n&(1<<20-1)], func(row muster.Raw) muster.Raw {
				if row == nil {
					row = make([]byte, 60)
				}
				binary.BigEndian.PutUint64(row, uint64(n))
				return row
			})
		})
	})
	b.Run("hot", func(b *testing.B) { // a hundred rows
		view(b, func(r *projector.Rows[muster.Raw], n int) error {
			return r.Update(keys[n%100], func(row muster.Raw) muster.Raw {
				if row == nil {
					row = make([]byte, 60)
				}
				binary.BigEndian.PutUint64(row, uint64(n))
				return row
			})
		})
	})
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(string, ...any) {}
