package projector_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/mustertest"
	"github.com/seed-3eec0498/muster/projector"
)

// erasedCodec seals nothing; it lets the names of erased people be absent, and the whole row of who has nothing else.
type erasedCodec struct {
	muster.PlainCodec
	gone   map[string]bool
	denied bool
}

type erasedRow struct {
	Who   string `json:"who"`
	Name  string `json:"name,omitempty"`
	Other string `json:"other,omitempty"`
}

func (c *erasedCodec) Reveal(place muster.Place, data []byte, into any) (muster.Redaction, error) {
	err := c.PlainCodec.Decode(place, data, into)
	row, is := into.(*erasedRow)
	switch {
	case !is || !c.gone[row.Who]:
		return muster.Redaction{}, err
	case c.denied:
		row.Name = ""
		return muster.Redaction{Access: muster.AccessDenied, Denied: true, Paths: []string{"name"}}, err
	case row.Other == "":
		*row = erasedRow{}
		return muster.Redaction{Access: muster.AccessShredded}, err
	}
	row.Name = ""
	return muster.Redaction{Access: muster.AccessShredded, Paths: []string{"name"}}, err
}

func (c *erasedCodec) Decode(place muster.Place, data []byte, into any) error {
	_, err := c.Reveal(place, data, into)
	return err
}

func (c *erasedCodec) Subjects(dst []muster.SubjectRef, data []byte) []muster.SubjectRef {
	var row erasedRow
	if json.Unmarshal(data, &row) == nil && row.Who != "" {
		dst = append(dst, erasedRef(row.Who))
	}
	return dst
}

func erasedRef(who string) (ref muster.SubjectRef) {
	copy(ref[:], who)
	return ref
}

func TestErasedRowsOfAView(t *testing.T) {
	for name, one := range map[string]struct {
		what   projector.ErasedRow
		denied bool
		want   map[string]string // rows by key: the name
		index  []string
		code   muster.Code
	}{
		"redacted": {what: projector.RedactErased, want: map[string]string{"1": "", "3": "Bert"}, index: []string{"3"}},
		"deleted":  {what: projector.DeleteErased, want: map[string]string{"3": "Bert"}, index: []string{"3"}},
		"no right": {what: projector.RedactErased, denied: true, want: map[string]string{"1": "Anna", "2": "Anna", "3": "Bert"}, index: []string{"1", "2", "3"}, code: muster.PermissionDenied},
	} {
		t.Run(name, func(t *testing.T) {
			codec := &erasedCodec{gone: map[string]bool{}, denied: one.denied}
			v := projector.NewView[erasedRow]("people")
			projector.Index(v, "named", func(_ string, row erasedRow) []string {
				if row.Name == "" {
					return nil
				}
				return []string{"yes"}
			})
			s := openStore(t, projector.StoreConfig{Views: []projector.AnyView{v}, Codec: codec})
			h := claim(t, s, shardOf(v, 0))
			apply(t, h, v, 1, func(r *projector.Rows[erasedRow]) {
				noError(t, r.Put("1", erasedRow{"anna", "Anna", "more"}))
				noError(t, r.Put("2", erasedRow{"anna", "Anna", ""}))
				noError(t, r.Put("3", erasedRow{"bert", "Bert", ""}))
			})
			codec.gone["anna"] = true
			b, err := h.Begin(t.Context())
			noError(t, err)
			b.Before(&projector.Running{ID: "erasure"})
			err = projector.EraseRows(b.Tx(), codec, projector.SubjectErased{Erasure: "e", Subject: erasedRef("anna")}, one.what)
			if one.code != muster.OK {
				if muster.CodeOf(err) != one.code {
					t.Fatalf("%v", err)
				}
				b.Rollback()
				codec.gone = nil // what is stored is what was
			} else {
				noError(t, err)
				noError(t, b.Commit(t.Context(), projector.Change{Acts: 3}))
			}
			got := map[string]string{}
			page, err := v.Scan(t.Context(), s)
			noError(t, err)
			for _, row := range page.Rows {
				got[row.Key] = row.Value.Name
			}
			if len(got) != len(one.want) {
				t.Fatalf("rows %v, want %v", got, one.want)
			}
			for key, want := range one.want {
				if got[key] != want {
					t.Errorf("row %s has %q, want %q", key, got[key], want)
				}
			}
			found, err := v.ByIndex(t.Context(), s, "named", "yes")
			noError(t, err)
			var keys []string
			for _, row := range found.Rows {
				keys = append(keys, row.Key)
			}
			if !slices.Equal(keys, one.index) {
				t.Errorf("the index has %v, want %v", keys, one.index)
			}
		})
	}
}

// Every shard does it once, with its checkpoint; who was away does it when it comes back, and a function that fails is tried again.
func TestErasuresReachEveryShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 2)
		ran, broken := 0, true
		projector.OnErased(r.p, func(_ context.Context, _ *mustertest.MemoryTx, e projector.SubjectErased) error {
			if e.Subject != erasedRef("anna") || e.Erasure != "e1" {
				t.Errorf("got %+v", e)
			}
			if broken {
				return errors.New("the table is locked")
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			ran++
			return nil
		})
		runner, stop := r.start()
		o := r.operator(map[string]*projector.Runner{"one": runner})
		wantState(t, runner, 0, projector.Live, "")
		wantState(t, runner, 1, projector.Live, "")
		e := projector.SubjectErased{Erasure: "e1", Subject: erasedRef("anna")}
		for range 2 {
			okay(t, o.Erase(t.Context(), "texts", e))
		}
		wantState(t, runner, 0, projector.Away, projector.ReasonErasing)
		if done, err := o.Erased("texts", "e1"); err != nil || len(done) != 0 {
			t.Fatalf("done while the function fails: %v, %v", done, err)
		}
		stop()
		broken = false
		runner, stop = r.start()
		o = r.operator(map[string]*projector.Runner{"one": runner})
		r.note(0, "a:1")
		wantState(t, runner, 0, projector.Live, "")
		wantState(t, runner, 1, projector.Live, "")
		r.wantRows(0, "a:1")
		pass(2 * time.Second)
		if done, err := o.Erased("texts", "e1"); err != nil || !slices.Equal(done, []int32{0, 1}) {
			t.Fatalf("done: %v, %v", done, err)
		}
		stop()
		runner, _ = r.start()
		wantState(t, runner, 0, projector.Live, "")
		synctest.Wait()
		if ran != 2 {
			t.Errorf("the function ran %d times without an error, want once for each shard", ran)
		}
	})
}
