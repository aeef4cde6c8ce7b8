package projector_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// Rows of a batch are encoded one behind the other into memory that the next batch uses again. Whatever their sizes, no row has a part of another one:
// as the batch reads it back, as a query does, and after the batches behind it.
func TestRowsOfAllSizesLieApart(t *testing.T) {
	v := projector.NewView[muster.Raw]("blobs")
	s := openStore(t, projector.StoreConfig{Views: []projector.AnyView{v}})
	h := claim(t, s, shardOf(v, 0))
	want := map[string][]byte{}
	sizes := []int{0, 1, 100, 4000, 96, 4096, 5000, 3, 131_072, 131_073, 8, 200_000, 64, 64, 900_000, 1, 300_000, 12_000, 130_000, 130_000, 130_000}
	for batch := range 4 {
		apply(t, h, v, int64(batch+1), func(r *projector.Rows[muster.Raw]) {
			put := func(key string, fill byte, size int) {
				row := bytes.Repeat([]byte{fill}, size)
				noError(t, r.Put(key, row))
				want[key] = bytes.Clone(row)
				clear(row) // it is the function's own
			}
			for i, size := range sizes {
				put(fmt.Sprint("row ", (i+batch*7)%30), byte(1+i+batch), size)
			}
			put("row 0", 99, 20) // a second time in one batch
			noError(t, r.Update("row 1", func(before muster.Raw) muster.Raw { return append(before, "more"...) }))
			want["row 1"] = append(want["row 1"], "more"...)
			for key, row := range want {
				got, there, err := r.Get(key)
				noError(t, err)
				if !there || !bytes.Equal(got, row) {
					t.Fatalf("batch %d: %s has %d bytes in the batch, want %d others", batch, key, len(got), len(row))
				}
			}
		})
		for key, row := range want {
			got, err := v.Get(context.Background(), s, key)
			noError(t, err)
			if !bytes.Equal(got, row) {
				t.Fatalf("batch %d: %s has %d bytes in the store, want %d others", batch, key, len(got), len(row))
			}
		}
	}
}
