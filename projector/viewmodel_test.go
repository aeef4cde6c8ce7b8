package projector_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// model is what a sharded view with an index should hold.
type model struct {
	rows   map[int32]map[string]balance
	counts map[int32]map[string]int64
}

func newModel() model {
	return model{rows: map[int32]map[string]balance{0: {}, 1: {}, 2: {}}, counts: map[int32]map[string]int64{0: {}, 1: {}, 2: {}}}
}

func (m model) clone() model {
	c := newModel()
	for p := range m.rows {
		c.rows[p], c.counts[p] = maps.Clone(m.rows[p]), maps.Clone(m.counts[p])
	}
	return c
}

// list gives the rows in the order of a scan: by key, then by shard.
func (m model) list(of func(key string, row balance) bool, reverse bool) []string {
	type place struct {
		key   string
		shard int32
	}
	var places []place
	for p, rows := range m.rows {
		for key, row := range rows {
			if of(key, row) {
				places = append(places, place{key, p})
			}
		}
	}
	slices.SortFunc(places, func(a, b place) int { return cmp.Or(strings.Compare(a.key, b.key), cmp.Compare(a.shard, b.shard)) })
	if reverse {
		slices.Reverse(places)
	}
	var all []string
	for _, at := range places {
		all = append(all, fmt.Sprintf("%s|%d=%s", at.key, at.shard, m.rows[at.shard][at.key].Owner))
	}
	return all
}

// Whatever functions do to rows, in batches that are committed or rolled back, with the store opened anew in between: reads in the batch and queries of
// every form agree with a map.
func TestRowsAgreeWithAMap(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		v := projector.NewView[balance]("balances")
		projector.Index(v, "owner", func(_ string, row balance) []string { return []string{row.Owner} })
		projector.Index(v, "tag", func(_ string, row balance) []string { return row.Tags })
		cfg := projector.StoreConfig{Views: []projector.AnyView{v}, Dir: "views", FS: vfs.NewMem(), WriteBufferBytes: 64 << 10}
		run := &modelRun{T: rt, v: v, cfg: cfg, m: newModel()}
		run.open()
		defer func() { _ = run.s.Close() }()
		for range rapid.IntRange(1, 8).Draw(rt, "batches") {
			run.batch(rapid.Int32Range(0, 2).Draw(rt, "shard"))
			if rapid.IntRange(0, 4).Draw(rt, "restart") == 0 {
				run.check(run.s.Close())
				run.open()
			}
			run.queries()
		}
	})
}

type modelRun struct {
	*rapid.T
	v    *projector.View[balance]
	cfg  projector.StoreConfig
	s    *projector.Store
	held map[int32]projector.Holding
	m    model
	n    int64
}

func (r *modelRun) check(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *modelRun) open() {
	s, err := projector.OpenStore(r.cfg)
	r.check(err)
	r.s, r.held = s, map[int32]projector.Holding{}
	for p := range int32(3) {
		r.held[p], err = s.Claim(r.Context(), shardOf(r.v, p))
		r.check(err)
	}
}

var (
	modelKeys   = rapid.SampledFrom([]string{"a", "a\x00", "a\x00b", "ab", "b", "ba", "ü", "zz", "\x7f"})
	modelOwners = rapid.SampledFrom([]string{"", "ann", "ann\x00", "ann\x00\x01", "anna", "bob"})
)

func (r *modelRun) batch(p int32) {
	b, err := r.held[p].Begin(r.Context())
	r.check(err)
	b.Before(&projector.Running{ID: "event"})
	rows, m := r.v.Hand(b.Tx()), r.m.clone()
	for range rapid.IntRange(0, 12).Draw(r.T, "calls") {
		key := modelKeys.Draw(r.T, "key")
		row := balance{Owner: modelOwners.Draw(r.T, "owner"), Tags: rapid.SliceOfN(modelOwners, 0, 3).Draw(r.T, "tags")}
		switch rapid.IntRange(0, 5).Draw(r.T, "call") {
		case 0:
			r.check(rows.Put(key, row))
			m.rows[p][key] = row
		case 1:
			r.check(rows.Update(key, func(old balance) balance { old.Owner += row.Owner; return old }))
			old := m.rows[p][key]
			old.Owner += row.Owner
			m.rows[p][key] = old
		case 2:
			r.check(rows.Delete(key))
			delete(m.rows[p], key)
		case 3:
			r.check(rows.Add(key, int64(len(row.Tags))-1))
			m.counts[p][key] += int64(len(row.Tags)) - 1
		case 4:
			got, there, err := rows.Get(key)
			want, wanted := m.rows[p][key]
			if err != nil || there != wanted || got.Owner != want.Owner || !slices.Equal(got.Tags, want.Tags) {
				r.Fatalf("in the batch %q is %v, %v, %v; want %v, %v", key, got, there, err, want, wanted)
			}
		case 5:
			prefix := rapid.SampledFrom([]string{"", "a", "a\x00", "b"}).Draw(r.T, "prefix")
			var got []string
			r.check(rows.Scan(prefix, func(key string, row balance) bool {
				got = append(got, fmt.Sprintf("%s|%d=%s", key, p, row.Owner))
				return true
			}))
			one := model{rows: map[int32]map[string]balance{p: m.rows[p]}}
			if want := one.list(func(key string, _ balance) bool { return strings.HasPrefix(key, prefix) }, false); !slices.Equal(got, want) {
				r.Fatalf("in the batch a scan of %q gives %q, want %q", prefix, got, want)
			}
		}
	}
	if rapid.IntRange(0, 3).Draw(r.T, "rollback") == 0 {
		b.Rollback()
		return
	}
	r.n++
	at := projector.Checkpoint{Source: shardOf(r.v, p).Sources[0], Next: r.n}
	r.check(b.Commit(r.Context(), projector.Change{Checkpoints: []projector.Checkpoint{at}}))
	r.m = m
}

// queries compares what queries find with the model.
func (r *modelRun) queries() {
	limit, reverse := rapid.IntRange(1, 4).Draw(r.T, "limit"), rapid.Bool().Draw(r.T, "reverse")
	opts := []projector.ReadOption{projector.Limit(limit)}
	if reverse {
		opts = append(opts, projector.Reverse())
	}
	prefix, from, to := modelKeys.Draw(r.T, "prefix"), modelKeys.Draw(r.T, "from"), modelKeys.Draw(r.T, "to")
	owner := rapid.SampledFrom([]string{"ann", "ann\x00", "bob"}).Draw(r.T, "owner")
	all := func(opts ...projector.ReadOption) (got []string) {
		for row, err := range r.v.All(r.Context(), r.s, opts...) {
			r.check(err)
			got = append(got, fmt.Sprintf("%s|%d=%s", row.Key, row.Shard, row.Value.Owner))
		}
		return got
	}
	same := func(what string, got []string, of func(key string, row balance) bool) {
		if want := r.m.list(of, reverse); !slices.Equal(got, want) {
			r.Fatalf("%s, reverse %v: %q, want %q", what, reverse, got, want)
		}
	}
	same("all", all(opts...), func(string, balance) bool { return true })
	same("prefix", all(append(opts, projector.Prefix(prefix))...), func(key string, _ balance) bool { return strings.HasPrefix(key, prefix) })
	same("range", all(append(opts, projector.Range(from, to))...), func(key string, _ balance) bool { return key >= from && key < to })
	for name, has := range map[string]func(balance) bool{
		"owner": func(row balance) bool { return row.Owner == owner },
		"tag":   func(row balance) bool { return slices.Contains(row.Tags, owner) },
	} {
		var got []string
		for row, err := range r.v.AllByIndex(r.Context(), r.s, name, owner, opts...) {
			r.check(err)
			got = append(got, fmt.Sprintf("%s|%d=%s", row.Key, row.Shard, row.Value.Owner))
		}
		same("index "+name, got, func(_ string, row balance) bool { return has(row) })
	}
	counter, want := modelKeys.Draw(r.T, "counter"), int64(0)
	for p := range r.m.counts {
		want += r.m.counts[p][counter]
	}
	if got, err := r.v.Count(r.Context(), r.s, counter); got != want || err != nil {
		r.Fatalf("counter %q is %d, %v; want %d", counter, got, err, want)
	}
	key := modelKeys.Draw(r.T, "key")
	if _, err := r.v.Get(r.Context(), r.s, key); muster.CodeOf(err) == muster.NotFound != (len(r.m.list(func(k string, _ balance) bool { return k == key }, false)) == 0) {
		r.Fatalf("Get(%q) answers %v", key, err)
	}
}
