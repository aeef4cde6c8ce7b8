package viewhttp_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// rebuilt gives a fleet whose view lies there in two generations: the sums of the second are a hundred times those of the first, which serves.
func rebuilt(t *testing.T, merge bool) *fleet {
	t.Helper()
	f := newFleet(t, merge)
	for s := range int32(fleetShards) {
		shard := f.shard(s)
		shard.Generation = 1
		held, err := f.all[s%3].store.Claim(t.Context(), shard)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(held.Release)
		for n := range 2 {
			key := fmt.Sprintf("acc-%d", n)
			f.put(s, key, total{Owner: "ann", Sum: 1})
			f.apply(held, s, int64(n+1), func(rows *projector.Rows[total]) error {
				if err := rows.Add("all", 100); err != nil {
					return err
				}
				return rows.Put(key, total{Owner: "ann", Sum: 100})
			})
		}
	}
	for n := range f.all {
		f.serve(n, 0)
	}
	return f
}

// serve has an instance answer from a generation.
func (f *fleet) serve(instance, generation int) { f.all[instance].store.Serve("totals", 1, generation) }

// sum adds up what a page says.
func (f *fleet) sum(p projector.Page) int {
	f.t.Helper()
	all := int(p.Counter)
	for _, r := range p.Rows {
		var row total
		if err := unmarshal(r.Value, &row); err != nil {
			f.t.Fatal(err)
		}
		all += row.Sum
	}
	return all
}

var generationQueries = []projector.Query{{View: "totals"}, {View: "totals", Key: "acc-1"}, {View: "totals", Counter: "all"}, {View: "totals", Index: "owner", Key: "ann"}}

// A rebuild takes over on one instance after the other. Whoever reads in between gets an answer of one generation: the instances are asked again until
// they agree.
func TestAnAnswerIsOfOneGeneration(t *testing.T) {
	for _, merge := range []bool{false, true} {
		for _, q := range generationQueries {
			f := rebuilt(t, merge)
			var others sync.Once
			f.onLook = func(fresh bool, _ projector.Query) {
				if fresh { // the first answers did not fit together
					others.Do(func() { f.serve(1, 1); f.serve(2, 1) })
				}
			}
			f.serve(0, 1)
			page, err := f.all[0].router.Read(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			want := 100 * fleetShards * 2
			if q.Key == "acc-1" {
				want /= 2
			}
			if got := f.sum(page); got != want || page.Generation != 1 {
				t.Errorf("merge %v, %+v: a sum of %d from generation %d, want %d from 1", merge, q, got, page.Generation, want)
			}
		}
	}
}

// Rows of an index that several shards have a part of are read whole after the index was read. When a rebuild takes over between two of them, all of it is
// read again.
func TestRowsOfAnIndexAreOfOneGeneration(t *testing.T) {
	f := rebuilt(t, true)
	var once sync.Once
	f.onRead = func(_ bool, q projector.Query) {
		if q.Key == "acc-1" && q.Index == "" { // that of acc-0 is done
			once.Do(func() { f.serve(0, 1); f.serve(1, 1); f.serve(2, 1) })
		}
	}
	page, err := f.all[0].router.Read(t.Context(), projector.Query{View: "totals", Index: "owner", Key: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := f.sum(page), 100*fleetShards*2; got != want || len(page.Rows) != 2 || page.Generation != 1 {
		t.Errorf("%d rows with a sum of %d from generation %d, want 2 with %d from 1", len(page.Rows), got, page.Generation, want)
	}
}

// A page token says of which generation the page was: a scan that was begun before a rebuild took over is not gone on with, through a router and through
// the client over HTTP, whichever instance is asked; who begins again has all of the new one.
func TestPagesOfAScanAreOfOneGeneration(t *testing.T) {
	for _, merge := range []bool{false, true} {
		for _, index := range []string{"", "owner"} {
			f := rebuilt(t, merge)
			q := projector.Query{View: "totals", Index: index, Limit: 1}
			if index != "" {
				q.Key = "ann"
			}
			readers := map[string]projector.Reader{"the router": f.all[0].router, "the client": client(t, f.servers[1].URL)}
			behind := map[string]projector.Query{}
			for name, reader := range readers {
				first, err := reader.Read(t.Context(), q)
				if err != nil || first.Token == "" {
					t.Fatalf("merge %v, index %q, %s: token %q, %v", merge, index, name, first.Token, err)
				}
				next := q
				next.Token = first.Token
				if page, err := reader.Read(t.Context(), next); err != nil || page.Generation != 0 {
					t.Errorf("merge %v, index %q, %s: the next page is of generation %d: %v", merge, index, name, page.Generation, err)
				}
				behind[name] = next
			}
			for n := range f.all {
				f.serve(n, 1)
			}
			for name, reader := range readers {
				_, err := reader.Read(t.Context(), behind[name])
				if muster.CodeOf(err) != muster.Aborted || muster.ReasonOf(err) != projector.ReasonGeneration {
					t.Errorf("merge %v, index %q, %s: behind a page of what was replaced: %v", merge, index, name, err)
				}
				sum := 0
				for again := q; ; {
					page, err := reader.Read(t.Context(), again)
					if err != nil {
						t.Fatal(err)
					}
					if sum += f.sum(page); page.Token == "" {
						break
					}
					again.Token = page.Token
				}
				if want := 100 * fleetShards * 2; sum != want {
					t.Errorf("merge %v, index %q, %s: begun again, the rows sum up to %d, want %d", merge, index, name, sum, want)
				}
			}
		}
	}
}
