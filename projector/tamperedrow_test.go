package projector_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/sealtest"
	"github.com/seed-3eec0498/muster/projector"
)

// tamperedRow changes one character of what is sealed in a row that lies in a closed store.
func tamperedRow(t *testing.T, fs vfs.FS, key string) {
	t.Helper()
	db, err := pebble.Open("views", &pebble.Options{FS: fs, FormatMajorVersion: pebble.FormatColumnarBlocks, Logger: quiet{}})
	noError(t, err)
	found, closer, err := db.Get(projector.RowKey(1, key))
	noError(t, err)
	row := bytes.Clone(found)
	noError(t, closer.Close())
	at := bytes.Index(row, []byte(`"blob":"`))
	if at < 0 {
		t.Fatalf("the row is not sealed: %q", row)
	}
	at += len(`"blob":"`)
	if row[at] == 'A' {
		row[at] = 'B'
	} else {
		row[at] = 'A'
	}
	noError(t, db.Set(projector.RowKey(1, key), row, pebble.Sync))
	noError(t, db.Close())
}

// A sealed row was changed on the disk. Whoever comes upon it is told so, and never gets a row; the shard begins anew, with a reason of its own, and is made
// again from the journal. The other shards stay.
func TestTamperedRowIsBuiltAnew(t *testing.T) {
	anna := projector.SubjectErased{Erasure: "e", Subject: erasedRef("anna")}
	for name, meets := range map[string]func(t *testing.T, s *projector.Store, v *projector.View[balance], h projector.Holding) error{
		"by a query": func(t *testing.T, s *projector.Store, v *projector.View[balance], _ projector.Holding) error {
			_, err := v.Get(t.Context(), s, "a")
			return err
		},
		"by a scan": func(t *testing.T, s *projector.Store, v *projector.View[balance], _ projector.Holding) error {
			page, err := v.Scan(t.Context(), s)
			if len(page.Rows) > 0 {
				t.Errorf("the page has %+v", page)
			}
			return err
		},
		"by a function": func(t *testing.T, _ *projector.Store, v *projector.View[balance], h projector.Holding) error {
			return tryApply(t, h, v, 2, func(r *projector.Rows[balance]) {
				if row, there, err := r.Get("a"); err == nil {
					t.Errorf("the function gets %+v, %v", row, there)
				}
			})
		},
		"by an erasure": func(t *testing.T, _ *projector.Store, _ *projector.View[balance], h projector.Holding) error {
			b, err := h.Begin(t.Context())
			noError(t, err)
			b.Before(&projector.Running{ID: "erasure"})
			err = projector.EraseRows(b.Tx(), subjectOfAll{}, anna, projector.RedactErased)
			b.Rollback()
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := projector.NewView[balance]("totals")
			codec := &sealtest.Codec{Fields: map[string][]string{"projector_test.balance": {"Owner"}}}
			var told []projector.StoreRebuilt
			cfg := projector.StoreConfig{
				Views: []projector.AnyView{v}, Dir: "views", FS: vfs.NewMem(), Codec: codec,
				Observe: projector.StoreObserve{Rebuilt: func(r projector.StoreRebuilt) { told = append(told, r) }},
			}
			s := openStore(t, cfg)
			apply(t, claim(t, s, shardOf(v, 0)), v, 1, func(r *projector.Rows[balance]) { noError(t, r.Put("a", balance{Owner: "ann"})) })
			apply(t, claim(t, s, shardOf(v, 1)), v, 1, func(r *projector.Rows[balance]) { noError(t, r.Put("b", balance{Owner: "bob"})) })
			noError(t, s.Close())
			tamperedRow(t, cfg.FS, "a")

			s = openStore(t, cfg)
			h := claim(t, s, shardOf(v, 0))
			claim(t, s, shardOf(v, 1))
			err := meets(t, s, v, h)
			asked := strings.HasSuffix(name, "query") || strings.HasSuffix(name, "scan")
			if asked && (muster.CodeOf(err) != muster.Unavailable || muster.ReasonOf(err) != muster.ReasonTampered) ||
				!asked && (muster.PayloadFaultOf(err) != muster.FaultTampered || !errors.Is(err, projector.ErrCorrupt)) || !strings.Contains(err.Error(), "corrupt") {
				t.Fatalf("it is told %v", err)
			}
			if err := tryApply(t, h, v, 2, func(*projector.Rows[balance]) {}); !errors.Is(err, projector.ErrCorrupt) {
				t.Errorf("the shard goes on with what is left: %v", err)
			}
			h.Release()
			h = claim(t, s, shardOf(v, 0))
			stored, err := h.Stored(t.Context())
			noError(t, err)
			if len(stored.Checkpoints) != 0 || len(told) != 1 || told[0].Projection != "totals@1" || told[0].Shard != 0 || told[0].Reason != projector.RebuiltTampered {
				t.Fatalf("claimed again it has %+v; told %+v", stored, told)
			}
			apply(t, h, v, 1, func(r *projector.Rows[balance]) { noError(t, r.Put("a", balance{Owner: "anna"})) })
			for key, want := range map[string]string{"a": "anna", "b": "bob"} {
				if got, err := v.Get(t.Context(), s, key); err != nil || got.Owner != want {
					t.Errorf("row %s is %v, %v", key, got, err)
				}
			}
		})
	}
}

// subjectOfAll says that every payload has data of anna.
type subjectOfAll struct{ muster.PlainCodec }

func (subjectOfAll) Subjects(dst []muster.SubjectRef, _ []byte) []muster.SubjectRef {
	return append(dst, erasedRef("anna"))
}
