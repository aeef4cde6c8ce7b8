package projector_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// total is a row without references, balance one with, and a StringValue a message.
type total struct {
	Sum   int64
	Count int
}

type balance struct {
	Owner string
	Tags  []string
}

func shardOf(v projector.AnyView, number int32) projector.Shard {
	d := v.Definition()
	return projector.Shard{
		Projection: d.String(), Name: d.Name(), Version: d.Version(), Number: number,
		Sources: []projector.Source{{Topic: "accounts.events", Partition: number}},
	}
}

func claim(t testing.TB, s *projector.Store, shard projector.Shard) projector.Holding {
	t.Helper()
	h, err := s.Claim(t.Context(), shard)
	if err != nil {
		t.Fatalf("Claim: %v", err)
	}
	return h
}

// apply runs fn as a function's batch of a shard and commits it with a checkpoint.
func apply[V any](t testing.TB, h projector.Holding, v *projector.View[V], next int64, fn func(r *projector.Rows[V])) {
	t.Helper()
	if err := tryApply(t, h, v, next, fn); err != nil {
		t.Fatalf("Commit: %v", err)
	}
}

func tryApply[V any](t testing.TB, h projector.Holding, v *projector.View[V], next int64, fn func(r *projector.Rows[V])) error {
	t.Helper()
	b, err := h.Begin(t.Context())
	if err != nil {
		t.Fatalf("Begin: %v", err)
	}
	defer b.Rollback()
	b.Before(&projector.Running{ID: "event"})
	fn(v.Hand(b.Tx()))
	at := projector.Checkpoint{Source: projector.Source{Topic: "accounts.events", Partition: 0}, Next: next, LastAt: next - 1}
	return b.Commit(t.Context(), projector.Change{Checkpoints: []projector.Checkpoint{at}})
}

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// What a batch wrote it reads back, and a query sees it when it is committed.
func TestRowsReadTheirWrites(t *testing.T) {
	v := projector.NewView[total]("totals")
	s := openStore(t, projector.StoreConfig{Views: []projector.AnyView{v}})
	h := claim(t, s, shardOf(v, 0))
	add := func(sum total) total { return total{sum.Sum + 5, sum.Count + 1} }
	apply(t, h, v, 10, func(r *projector.Rows[total]) {
		noError(t, r.Put("a", total{1, 1}))
		noError(t, r.Update("a", add))
		noError(t, r.Update("new", add))
		noError(t, r.Put("gone", total{9, 9}))
		noError(t, r.Delete("gone"))
		noError(t, r.Add("events", 3))
		noError(t, r.Add("events", -1))
		for key, want := range map[string]total{"a": {6, 2}, "new": {5, 1}} {
			if got, there, err := r.Get(key); got != want || !there || err != nil {
				t.Fatalf("Get(%s) gives %v, %v, %v", key, got, there, err)
			}
		}
		if _, there, err := r.Get("gone"); there || err != nil {
			t.Fatalf("a deleted row is there: %v", err)
		}
		if n, err := r.Count("events"); n != 2 || err != nil {
			t.Fatalf("Count gives %d, %v", n, err)
		}
		if _, err := v.Get(t.Context(), s, "a"); muster.CodeOf(err) != muster.NotFound || !strings.Contains(err.Error(), `totals@1 has no row "a"`) {
			t.Fatalf("before the commit a query sees %v", err)
		}
	})
	apply(t, h, v, 11, func(r *projector.Rows[total]) { noError(t, r.Update("a", add)) })
	if got, err := v.Get(t.Context(), s, "a"); got != (total{11, 3}) || err != nil {
		t.Fatalf("a query sees %v, %v", got, err)
	}
	if n, err := v.Count(t.Context(), s, "events"); n != 2 || err != nil {
		t.Fatalf("Count gives %d, %v", n, err)
	}
	page, err := v.Scan(t.Context(), s)
	noError(t, err)
	if len(page.Rows) != 2 || page.Rows[0].Key != "a" || page.Rows[1].Key != "new" || !slices.Equal(page.At, []muster.Position{{Topic: "accounts.events", Offset: 10}}) {
		t.Fatalf("Scan gives %+v", page)
	}
}

// A value that a function has got, or has put, is its own: changing it later changes no row.
func TestRowsShareNothing(t *testing.T) {
	v := projector.NewView[balance]("balances")
	m := projector.NewView[*wrapperspb.StringValue]("names")
	s := openStore(t, projector.StoreConfig{Views: []projector.AnyView{v, m}})
	apply(t, claim(t, s, shardOf(v, 0)), v, 1, func(r *projector.Rows[balance]) {
		row := balance{"ann", []string{"x"}}
		noError(t, r.Put("a", row))
		row.Tags[0] = "changed"
		noError(t, r.Update("b", func(balance) balance { return balance{"bob", []string{"x"}} }))
		for _, key := range []string{"a", "b"} {
			got, _, err := r.Get(key)
			noError(t, err)
			got.Tags[0] = "changed"
			if again, _, err := r.Get(key); err != nil || again.Tags[0] != "x" {
				t.Fatalf("row %s became %v, %v", key, again, err)
			}
		}
	})
	apply(t, claim(t, s, shardOf(m, 0)), m, 1, func(r *projector.Rows[*wrapperspb.StringValue]) {
		row := wrapperspb.String("x")
		noError(t, r.Put("a", row))
		row.Value = "changed"
		noError(t, r.Update("b", func(v *wrapperspb.StringValue) *wrapperspb.StringValue { v.Value = "x"; return v }))
		for _, key := range []string{"a", "b"} {
			got, _, err := r.Get(key)
			noError(t, err)
			got.Value = "changed"
			if again, _, err := r.Get(key); err != nil || again.Value != "x" {
				t.Fatalf("row %s became %v, %v", key, again, err)
			}
		}
	})
	for _, key := range []string{"a", "b"} {
		if got, err := v.Get(t.Context(), s, key); err != nil || got.Tags[0] != "x" {
			t.Fatalf("row %s was stored as %v, %v", key, got, err)
		}
		if got, err := m.Get(t.Context(), s, key); err != nil || got.GetValue() != "x" {
			t.Fatalf("message %s was stored as %v, %v", key, got, err)
		}
	}
}

func TestRowsRefuse(t *testing.T) {
	v := projector.NewView[map[string]any]("free")
	projector.Index(v, "long", func(_ string, row map[string]any) []string {
		if row["panic"] != nil {
			panic("index")
		}
		text, _ := row["long"].(string)
		return []string{text, "", text}
	})
	s := openStore(t, projector.StoreConfig{Views: []projector.AnyView{v}})
	h := claim(t, s, shardOf(v, 0))
	refused := func(what string, err error, says string) {
		t.Helper()
		if muster.CodeOf(err) != muster.InvalidArgument || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "free@1") {
			t.Fatalf("%s: %v", what, err)
		}
	}
	apply(t, h, v, 1, func(r *projector.Rows[map[string]any]) {
		row := map[string]any{"n": 1}
		refused("no key", r.Put("", row), "1 to 1024 bytes")
		refused("long key", r.Put(strings.Repeat("k", 1025), row), "this one has 1025")
		refused("no text", r.Put("\xff", row), "UTF-8")
		refused("no counter", r.Add("", 1), "1 to 1024 bytes")
		refused("large row", r.Put("a", map[string]any{"x": strings.Repeat("x", projector.MaxRowBytes)}), "split it")
		refused("not JSON", r.Put("a", map[string]any{"x": func() {}}), "encode")
		refused("long index value", r.Put("a", map[string]any{"long": strings.Repeat("x", 1025)}), `index "long"`)
		noError(t, r.Add("c", 1<<62))
		refused("overflow", r.Add("c", 1<<62), "64 bits")
		noError(t, r.Put("b", row)) // a refusal leaves what was there
		refused("not JSON", r.Put("b", map[string]any{"x": func() {}}), "encode")
	})
	page, err := v.Scan(t.Context(), s)
	noError(t, err)
	if len(page.Rows) != 1 || !maps.Equal(page.Rows[0].Value, map[string]any{"n": float64(1)}) {
		t.Fatalf("rows are %v", page.Rows)
	}
	for what, row := range map[string]map[string]any{"encode": {"x": func() {}}, "panicked": {"panic": true}} {
		err := tryApply(t, h, v, 2, func(r *projector.Rows[map[string]any]) {
			noError(t, r.Put("c", map[string]any{"n": 2}))
			noError(t, r.Update("b", func(map[string]any) map[string]any { return row }))
		})
		blame, ok := errors.AsType[*projector.Blame](err)
		if !ok || blame.ID != "event" || !strings.Contains(err.Error(), what) {
			t.Fatalf("Commit answers %v", err)
		}
	}
	if _, err := v.Get(t.Context(), s, "c"); muster.CodeOf(err) != muster.NotFound {
		t.Fatalf("a part of a refused batch is there: %v", err)
	}
}

// Rows of a batch that has ended are of no use, also to a function that runs on.
func TestRowsEnd(t *testing.T) {
	v := projector.NewView[total]("totals")
	s := openStore(t, projector.StoreConfig{Views: []projector.AnyView{v}})
	h := claim(t, s, shardOf(v, 0))
	b, err := h.Begin(t.Context())
	noError(t, err)
	r := v.Hand(b.Tx())
	noError(t, r.Put("a", total{1, 1}))
	b.Rollback()
	if err := r.Put("a", total{2, 2}); muster.CodeOf(err) != muster.FailedPrecondition {
		t.Fatalf("Put after Rollback: %v", err)
	}
	apply(t, h, v, 2, func(*projector.Rows[total]) {})
	if _, err := v.Get(t.Context(), s, "a"); muster.CodeOf(err) != muster.NotFound {
		t.Fatalf("a row of a batch that was rolled back is there: %v", err)
	}
}
