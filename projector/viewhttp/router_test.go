package viewhttp_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/viewhttp"
)

var (
	_ projector.Reader = (*viewhttp.Router)(nil)
	_ muster.ViewHost  = (*viewhttp.Router)(nil)
)

// Whatever rows lie where, all instances give the same pages, and together they are the rows of one store that holds everything.
func TestPagesOfManyInstances(t *testing.T) {
	for _, merge := range []bool{false, true} {
		rapid.Check(t, func(rt *rapid.T) {
			f := newFleet(t, merge)
			whole, err := projector.OpenStore(projector.StoreConfig{Views: []projector.AnyView{f.view}})
			if err != nil {
				t.Fatal(err)
			}
			defer whole.Close()
			for s := range int32(fleetShards) {
				f.move(s, rapid.IntRange(0, 2).Draw(rt, "holder"))
				held, err := whole.Claim(t.Context(), f.shard(s))
				if err != nil {
					t.Fatal(err)
				}
				defer held.Release()
				for n := range rapid.IntRange(0, 6).Draw(rt, "rows") {
					key := fmt.Sprintf("k%d", rapid.IntRange(0, 9).Draw(rt, "key"))
					row := total{Owner: rapid.SampledFrom([]string{"ann", "bob"}).Draw(rt, "owner"), Sum: n + 1}
					f.put(s, key, row)
					f.apply(held, s, int64(n+1), func(rows *projector.Rows[total]) error {
						return errors.Join(rows.Add("all", int64(row.Sum)), rows.Put(key, row))
					})
				}
			}
			from := f.all[rapid.IntRange(0, 2).Draw(rt, "asked")].router
			limit := rapid.IntRange(1, 12).Draw(rt, "limit")
			for _, q := range []projector.Query{
				{},
				{Reverse: true},
				{Prefix: "k"},
				{From: "k2", To: "k7"},
				{From: "k2", Reverse: true},
				{Key: "k3"},
				{Counter: "all"},
				{Index: "owner", Key: "ann"},
				{Index: "owner", Prefix: "b"},
				{Index: "owner", From: "a", Reverse: true},
			} {
				q.View, q.Version = "totals", 1
				if q.Counter != "" {
					want, err := whole.Read(t.Context(), q)
					got, err2 := from.Read(t.Context(), q)
					if err != nil || err2 != nil || want.Counter != got.Counter {
						rt.Fatalf("counter: %d %v, want %d %v", got.Counter, err2, want.Counter, err)
					}
					continue
				}
				if q.Key == "" || q.Index != "" {
					q.Limit = limit
				}
				want := everything(t, whole, q)
				q.Version = 0
				if diff := cmp.Diff(text(want), text(everything(t, from, q))); diff != "" {
					rt.Fatalf("%+v merge=%v\n%s", q, merge, diff)
				}
			}
		})
	}
}

// A row whose shard is known is asked of its holder alone, and a token goes on with the version it is of.
func TestRouteOfOneRow(t *testing.T) {
	f := newFleet(t, false)
	f.routed = true
	for n := range 12 {
		key := fmt.Sprintf("acc-%d", n)
		f.put(shardOf(key), key, total{Owner: "ann", Sum: n})
	}
	for n := range 12 {
		before := [3]int32{f.all[0].reads.Load(), f.all[1].reads.Load(), f.all[2].reads.Load()}
		key := fmt.Sprintf("acc-%d", n)
		row, err := f.view.Get(t.Context(), f.all[n%3].router, key)
		if err != nil || row.Sum != n {
			t.Fatalf("%s: %v, %v", key, row, err)
		}
		for i := range 3 {
			want := before[i]
			if f.holders[shardOf(key)] == i {
				want++
			}
			if got := f.all[i].reads.Load(); got != want {
				t.Errorf("%s: instance %d was read %d times", key, i, got-before[i])
			}
		}
	}
	if _, err := f.view.Get(t.Context(), f.all[0].router, "acc-99"); muster.CodeOf(err) != muster.NotFound {
		t.Error(err)
	}
	p, err := f.all[0].router.Read(t.Context(), projector.Query{View: "totals", Limit: 5})
	if err != nil || !strings.HasPrefix(p.Token, "1.") {
		t.Fatal(p.Token, err)
	}
	for _, token := range []string{p.Token[2:], "2" + p.Token[1:], "01" + p.Token[1:], "1.", "x"} {
		if _, err := f.all[1].router.Read(t.Context(), projector.Query{View: "totals", Version: 1, Token: token}); muster.CodeOf(err) != muster.InvalidArgument {
			t.Errorf("%q: %v", token, err)
		}
	}
	over := client(t, f.all[2].address)
	if sum, err := f.view.Count(t.Context(), over, "all"); err != nil || sum != 66 {
		t.Errorf("counter %d, %v", sum, err)
	}
	var keys []string
	for row, err := range f.view.All(t.Context(), over, projector.Limit(5)) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, row.Key)
	}
	if len(keys) != 12 {
		t.Errorf("keys %v", keys)
	}
}

// A stale placement is found out and looked up anew; a shard that nobody holds, or whose holder has no address, is an error one can retry;
// and a request that was routed is not routed again.
func TestRouteFindsOut(t *testing.T) {
	f := newFleet(t, false)
	f.put(0, "acc-1", total{Sum: 7})
	q := projector.Query{View: "totals", Shards: []int32{0}, Key: "acc-1"}
	if _, err := f.all[0].router.Read(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	f.move(0, 1)
	f.put(0, "acc-1", total{Sum: 8})
	p, err := f.all[0].router.Read(t.Context(), q)
	if err != nil || text(p.Rows) != `acc-1={"owner":"","sum":8}` {
		t.Errorf("%s, %v", text(p.Rows), err)
	}
	looks, reads := f.looks.Load(), f.all[1].reads.Load()
	answer, body := ask(t, f.all[0].address+"/views/totals/rows/acc-1?shards=0", viewhttp.HeaderRouted, "1")
	if answer.StatusCode != http.StatusServiceUnavailable || f.looks.Load() != looks || f.all[1].reads.Load() != reads {
		t.Errorf("%d %s", answer.StatusCode, body)
	}
	address := f.all[1].address
	f.all[1].address = ""
	f.mu.Lock()
	delete(f.holders, 3)
	f.told = nil
	f.mu.Unlock()
	hasty := viewhttp.NewRouter(viewhttp.Routing{Self: "pod-0", Local: f.all[0], Directory: f, Tries: 2})
	if _, err := hasty.Read(t.Context(), q); muster.CodeOf(err) != muster.Unavailable || muster.ReasonOf(err) != viewhttp.ReasonMoved || !strings.Contains(err.Error(), "pod-1") {
		t.Error(err)
	}
	q.Shards = []int32{3}
	if _, err := hasty.Read(t.Context(), q); muster.CodeOf(err) != muster.Unavailable || !strings.Contains(err.Error(), "shard 3") {
		t.Error(err)
	}
	q.Stale, q.Shards = true, []int32{0}
	if p, err := hasty.Read(t.Context(), q); err != nil || !p.Stale || text(p.Rows) != `acc-1={"owner":"","sum":7}` {
		t.Errorf("%+v, %v", p, err)
	}
	f.all[1].address = address
	lost := newCopy("totals@1") // a shard that goes while it is read
	lost.stale = true
	while := viewhttp.NewRouter(viewhttp.Routing{Self: "pod-0", Local: lost, Directory: f, Tries: 2})
	f.move(2, 0)
	if _, err := while.Read(t.Context(), projector.Query{View: "totals", Shards: []int32{2}}); muster.ReasonOf(err) != viewhttp.ReasonMoved {
		t.Error(err)
	}
	if _, err := hasty.Read(t.Context(), projector.Query{View: "none"}); muster.CodeOf(err) != muster.NotFound {
		t.Error(err)
	}
}

// A position is waited for where its shard is, from any instance and over HTTP.
func TestRouteOfPositions(t *testing.T) {
	f := newFleet(t, false)
	f.put(4, "acc-1", total{Sum: 1})
	pos := func(shard int32, offset int64) muster.Position {
		return muster.Position{Topic: topic, Partition: shard, Offset: offset}
	}
	over := client(t, f.all[2].address)
	for n, host := range []muster.ViewHost{f.all[0].router, f.all[1].router, over} {
		if err := f.view.AwaitIn(t.Context(), host, pos(4, 0)); err != nil {
			t.Error(err)
		}
		if err := host.AwaitView(t.Context(), "totals", 0, muster.Position{}); err != nil {
			t.Error(err)
		}
		if err := host.AwaitView(t.Context(), "totals", 0, muster.Position{Topic: "others"}); muster.CodeOf(err) != muster.InvalidArgument {
			t.Error(err)
		}
		ctx, cancel := hurried(t, 250*time.Millisecond), func() {}
		if n == 1 { // it holds the shard, so nobody answers before the end
			ctx, cancel = context.WithTimeout(t.Context(), 500*time.Millisecond)
		}
		err := host.AwaitView(ctx, "totals", 1, pos(4, 1))
		cancel()
		if muster.CodeOf(err) != muster.DeadlineExceeded || !strings.Contains(err.Error(), "accounts.events[4]@1") {
			t.Error(err)
		}
	}
	row, err := f.view.Get(t.Context(), over, "acc-1", projector.AtLeast(pos(4, 0)))
	if err != nil || row.Sum != 1 {
		t.Error(row, err)
	}
	waited := make(chan error)
	go func() {
		_, err := f.view.Scan(t.Context(), over, projector.AtLeast(pos(1, 0), pos(5, 0)))
		waited <- err
	}()
	f.put(1, "a", total{})
	f.put(5, "b", total{})
	if err := <-waited; err != nil {
		t.Error(err)
	}
}
