package projector_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

func keysOf[V any](rows []projector.Row[V]) (keys []string) {
	for _, row := range rows {
		keys = append(keys, row.Key)
	}
	return keys
}

// Pages go on behind the last row, whatever came and went meanwhile; a token goes with its query and no other.
func TestPageTokens(t *testing.T) {
	v := projector.NewView[total]("totals")
	s := openStore(t, projector.StoreConfig{Views: []projector.AnyView{v}})
	h := claim(t, s, shardOf(v, 0))
	apply(t, h, v, 1, func(r *projector.Rows[total]) {
		for i := range 9 {
			noError(t, r.Put(fmt.Sprint("k", i), total{}))
		}
	})
	first, err := v.Scan(t.Context(), s, projector.Limit(3))
	noError(t, err)
	apply(t, h, v, 2, func(r *projector.Rows[total]) {
		noError(t, r.Delete("k2")) // the one the token stands at
		noError(t, r.Delete("k4"))
		noError(t, r.Put("k0a", total{}))
		noError(t, r.Put("k3a", total{}))
	})
	second, err := v.Scan(t.Context(), s, projector.Limit(3), projector.PageToken(first.Token))
	noError(t, err)
	if got := append(keysOf(first.Rows), keysOf(second.Rows)...); !slices.Equal(got, []string{"k0", "k1", "k2", "k3", "k3a", "k5"}) {
		t.Fatalf("two pages give %v", got)
	}
	raw, err := base64.RawURLEncoding.DecodeString(first.Token)
	noError(t, err)
	raw[len(raw)-1]++
	for what, opts := range map[string][]projector.ReadOption{
		"another order":  {projector.PageToken(first.Token), projector.Reverse()},
		"another prefix": {projector.PageToken(first.Token), projector.Prefix("k")},
		"nonsense":       {projector.PageToken("nonsense")},
		"empty":          {projector.PageToken(base64.RawURLEncoding.EncodeToString([]byte{1}))},
		"changed":        {projector.PageToken(base64.RawURLEncoding.EncodeToString(raw))},
		"long":           {projector.PageToken(strings.Repeat("A", 1<<20))},
	} {
		if _, err := v.Scan(t.Context(), s, opts...); muster.CodeOf(err) != muster.InvalidArgument || !strings.Contains(err.Error(), "page token") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func FuzzPageToken(f *testing.F) {
	v := projector.NewView[total]("totals")
	s := openStore(f, projector.StoreConfig{Views: []projector.AnyView{v}})
	h := claim(f, s, shardOf(v, 0))
	apply(f, h, v, 1, func(r *projector.Rows[total]) {
		for i := range 9 {
			noError(f, r.Put(fmt.Sprint("k", i), total{}))
		}
	})
	page, err := v.Scan(f.Context(), s, projector.Limit(3))
	noError(f, err)
	f.Add(page.Token)
	f.Add("AQ")
	f.Fuzz(func(t *testing.T, token string) {
		_, err := v.Scan(context.Background(), s, projector.PageToken(token))
		if err != nil && muster.CodeOf(err) != muster.InvalidArgument {
			t.Fatal(err)
		}
	})
}

func TestBadQueries(t *testing.T) {
	v := projector.NewView[total]("totals")
	projector.Index(v, "count", func(_ string, row total) []string { return []string{fmt.Sprint(row.Count)} })
	s := openStore(t, projector.StoreConfig{Views: []projector.AnyView{v}})
	if _, err := v.Scan(t.Context(), s); muster.CodeOf(err) != muster.Unavailable || !strings.Contains(err.Error(), "holds no shard") {
		t.Fatalf("with no shard held: %v", err)
	}
	claim(t, s, shardOf(v, 0))
	for says, q := range map[string]projector.Query{
		"no view other":        {View: "other"},
		"no view totals@7":     {View: "totals", Version: 7},
		"no index":             {View: "totals", Index: "owner", Key: "x"},
		"needs a value":        {View: "totals", Index: "count"},
		"Limit is 1001":        {View: "totals", Limit: 1001},
		"Limit is -1":          {View: "totals", Limit: -1},
		"a key and a range":    {View: "totals", Key: "a", Prefix: "a"},
		"a prefix and a range": {View: "totals", Prefix: "a", From: "a"},
		"a counter has no key": {View: "totals", Counter: "a", Key: "a"},
		"one row has no page":  {View: "totals", Key: "a", Token: "x"},
		"shard 3 is not held":  {View: "totals", Shards: []int32{0, 3}},
		"no shard that this":   {View: "totals", AtLeast: []muster.Position{{Topic: "orders.events"}}},
	} {
		_, err := s.Read(t.Context(), q)
		if code := muster.CodeOf(err); code != muster.InvalidArgument && code != muster.NotFound && code != muster.Unavailable || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: %v", q, err)
		}
	}
	if _, err := v.Get(t.Context(), s, ""); muster.CodeOf(err) != muster.InvalidArgument {
		t.Errorf("Get without a key: %v", err)
	}
	if err := s.Watch(t.Context(), projector.Query{View: "totals", Index: "count", Key: "1"}, nil); muster.CodeOf(err) != muster.InvalidArgument {
		t.Errorf("watching an index: %v", err)
	}
}

// A row with the same key in several shards is one where the view merges, several where it does not.
func TestMerge(t *testing.T) {
	plain, merged := projector.NewView[total]("plain"), projector.NewView[total]("merged")
	projector.Merge(merged, func(a, b total) total { return total{a.Sum + b.Sum, a.Count + b.Count} })
	projector.Index(merged, "count", func(_ string, row total) []string { return []string{fmt.Sprint("c", row.Count)} })
	s := openStore(t, projector.StoreConfig{Views: []projector.AnyView{plain, merged}})
	for _, v := range []*projector.View[total]{plain, merged} {
		for p := range int32(3) {
			apply(t, claim(t, s, shardOf(v, p)), v, 1, func(r *projector.Rows[total]) {
				noError(t, r.Put("all", total{10 * int64(p+1), 1}))
				noError(t, r.Put(fmt.Sprint("own-", p), total{1, 1}))
				noError(t, r.Add("rows", 2))
			})
		}
		if n, err := v.Count(t.Context(), s, "rows"); n != 6 || err != nil {
			t.Fatalf("Count gives %d, %v", n, err)
		}
	}
	if _, err := plain.Get(t.Context(), s, "all"); muster.CodeOf(err) != muster.FailedPrecondition || !strings.Contains(err.Error(), "Merge") {
		t.Fatalf("Get of a row of three shards: %v", err)
	}
	if got, err := merged.Get(t.Context(), s, "all"); got != (total{60, 3}) || err != nil {
		t.Fatalf("merged it is %v, %v", got, err)
	}
	for limit := 1; limit <= 7; limit++ {
		var got, want []string
		for row, err := range merged.All(t.Context(), s, projector.Limit(limit)) {
			noError(t, err)
			got = append(got, fmt.Sprint(row.Key, row.Value.Sum))
		}
		if want = []string{"all60", "own-01", "own-11", "own-21"}; !slices.Equal(got, want) {
			t.Fatalf("pages of %d: %v", limit, got)
		}
		got = nil
		for row, err := range plain.All(t.Context(), s, projector.Limit(limit), projector.Reverse()) {
			noError(t, err)
			got = append(got, fmt.Sprint(row.Key, row.Shard))
		}
		if want = []string{"own-22", "own-11", "own-00", "all2", "all1", "all0"}; !slices.Equal(got, want) {
			t.Fatalf("pages of %d: %v", limit, got)
		}
		got = nil
		for row, err := range merged.AllByIndex(t.Context(), s, "count", "c1", projector.Limit(limit)) {
			noError(t, err)
			got = append(got, fmt.Sprint(row.Key, row.Value.Sum))
		}
		if want = []string{"all60", "own-01", "own-11", "own-21"}; !slices.Equal(got, want) {
			t.Fatalf("the index in pages of %d: %v", limit, got)
		}
	}
}

// An index that a new build declares is made from the rows when the shard is claimed; one that is gone leaves nothing.
func TestIndexesOfAnotherBuild(t *testing.T) {
	mem := vfs.NewMem()
	view := func(names ...string) *projector.View[balance] {
		v := projector.NewView[balance]("balances")
		for _, name := range names {
			projector.Index(v, name, func(_ string, row balance) []string { return []string{name + row.Owner} })
		}
		return v
	}
	var told []projector.StoreRebuilt
	open := func(v *projector.View[balance]) (*projector.Store, projector.Holding) {
		s := openStore(t, projector.StoreConfig{Views: []projector.AnyView{v}, Dir: "views", FS: mem, Observe: projector.StoreObserve{
			Rebuilt: func(r projector.StoreRebuilt) { told = append(told, r) },
		}})
		return s, claim(t, s, shardOf(v, 0))
	}
	v := view("a")
	s, h := open(v)
	apply(t, h, v, 1, func(r *projector.Rows[balance]) {
		for i := range 300 {
			noError(t, r.Put(fmt.Sprintf("k%03d", i), balance{Owner: fmt.Sprint(i % 3)}))
		}
	})
	noError(t, s.Close())
	for step, names := range [][]string{{"b", "a"}, {}, {"a"}} {
		v = view(names...)
		s, h = open(v)
		if len(told) != step+1 || told[step].Reason != projector.RebuiltIndexes {
			t.Fatalf("told %+v", told)
		}
		apply(t, h, v, 2, func(r *projector.Rows[balance]) {
			noError(t, r.Put("k000", balance{Owner: "1"}))
			n := 0
			noError(t, r.Scan("k", func(string, balance) bool { n++; return n < 290 }))
			if n != 290 {
				t.Fatalf("a scan that is stopped saw %d rows", n)
			}
		})
		for _, name := range names {
			n := 0
			for row, err := range v.AllByIndex(t.Context(), s, name, name+"1", projector.Limit(7)) {
				noError(t, err)
				if n++; row.Value.Owner != "1" {
					t.Fatalf("index %s gives %+v", name, row)
				}
			}
			if n != 101 {
				t.Fatalf("index %s has %d rows, want 101", name, n)
			}
		}
		noError(t, s.Close())
	}
}

// A read that wants a position waits for the batch that brings it, and no longer than its context.
func TestAtLeast(t *testing.T) {
	v := projector.NewView[total]("totals")
	s := openStore(t, projector.StoreConfig{Views: []projector.AnyView{v}})
	h := claim(t, s, shardOf(v, 0))
	apply(t, h, v, 5, func(r *projector.Rows[total]) { noError(t, r.Put("a", total{1, 1})) })
	here, next := muster.Position{Topic: "accounts.events", Offset: 4}, muster.Position{Topic: "accounts.events", Offset: 5}
	if got, err := v.Get(t.Context(), s, "a", projector.AtLeast(here)); got.Sum != 1 || err != nil {
		t.Fatalf("a position that is there: %v, %v", got, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.Get(ended, s, "a", projector.AtLeast(next)); muster.CodeOf(err) != muster.Cancelled || !strings.Contains(err.Error(), "accounts.events[0]@5") {
		t.Fatalf("a context that has ended: %v", err)
	}
	result := make(chan total)
	go func() {
		got, err := v.Get(t.Context(), s, "a", projector.AtLeast(here, next))
		if err != nil {
			t.Error(err)
		}
		result <- got
	}()
	apply(t, h, v, 6, func(r *projector.Rows[total]) { noError(t, r.Put("a", total{2, 2})) })
	if got := <-result; got.Sum != 2 {
		t.Fatalf("the read that waited sees %v", got)
	}
}

// Generations and versions are apart, and Serve says which one answers; what is not held answers only where stale rows are taken.
func TestServe(t *testing.T) {
	views, one, two := rawViews()
	s := openStore(t, projector.StoreConfig{Views: views})
	for generation, value := range []string{"old", "new"} {
		shard := shardOf(one, 0)
		shard.Generation = generation
		apply(t, claim(t, s, shard), one, 1, func(r *projector.Rows[muster.Raw]) { noError(t, r.Put("k", muster.Raw(value))) })
	}
	h := claim(t, s, shardOf(two, 0))
	apply(t, h, two, 1, func(r *projector.Rows[muster.Raw]) { noError(t, r.Put("k", muster.Raw("two"))) })
	read := func(version int) string {
		page, err := s.Read(t.Context(), projector.Query{View: "totals", Version: version, Key: "k"})
		if err != nil {
			return err.Error()
		}
		return page.View + "=" + string(page.Rows[0].Value)
	}
	if got := read(0) + " " + read(1); got != "totals@2=two totals@1=old" {
		t.Fatal(got)
	}
	s.Serve("totals", 1, 1)
	if got := read(0) + " " + read(1) + " " + read(2); got != "totals@1=new totals@1=new totals@2=two" {
		t.Fatal(got)
	}
	h.Release()
	if got := read(2); !strings.Contains(got, "holds no shard") {
		t.Fatal(got)
	}
	if page, err := two.Scan(t.Context(), s, projector.Stale()); err != nil || !page.Stale || len(page.Rows) != 1 {
		t.Fatalf("a stale read gives %+v, %v", page, err)
	}
}

// A shard of which nothing is applied yet has no position: there is no token for one, so that an answer with it could not be read.
func TestNothingAppliedIsNoPosition(t *testing.T) {
	v := projector.NewView[total]("totals")
	s := openStore(t, projector.StoreConfig{Views: []projector.AnyView{v}})
	h := claim(t, s, shardOf(v, 0))
	apply(t, h, v, 0, func(*projector.Rows[total]) {}) // as the start is noted
	page, err := v.Scan(t.Context(), s)
	noError(t, err)
	if len(page.At) > 0 {
		t.Errorf("positions of nothing: %v", page.At)
	}
	apply(t, h, v, 1, func(*projector.Rows[total]) {})
	page, err = v.Scan(t.Context(), s)
	noError(t, err)
	if len(page.At) != 1 || page.At[0].Offset != 0 {
		t.Errorf("positions of one event: %v", page.At)
	}
}
