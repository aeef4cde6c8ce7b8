package projector_test

import (
	"fmt"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// twoGenerations gives a view with six rows in each of two generations, of which the first serves. A row says which one it is of.
func twoGenerations(t *testing.T) (*projector.View[total], *projector.Store) {
	t.Helper()
	v := projector.NewView[total]("totals")
	s := openStore(t, projector.StoreConfig{Views: []projector.AnyView{v}})
	for generation := range 2 {
		shard := shardOf(v, 0)
		shard.Generation = generation
		apply(t, claim(t, s, shard), v, 1, func(r *projector.Rows[total]) {
			for i := range 6 {
				noError(t, r.Put(fmt.Sprint("k", i), total{Sum: int64(generation)}))
			}
		})
	}
	s.Serve("totals", 1, 0)
	return v, s
}

// Pages are of one generation. Who goes on behind a page of one that was replaced is told to begin again; who asks an instance that has not heard of
// the switch yet is told to ask again.
func TestPagesAreOfOneGeneration(t *testing.T) {
	v, s := twoGenerations(t)
	old, err := v.Scan(t.Context(), s, projector.Limit(2))
	noError(t, err)
	next, err := v.Scan(t.Context(), s, projector.Limit(2), projector.PageToken(old.Token))
	noError(t, err)

	s.Serve("totals", 1, 1)
	for _, token := range []string{old.Token, next.Token} {
		_, err = v.Scan(t.Context(), s, projector.Limit(2), projector.PageToken(token))
		if muster.CodeOf(err) != muster.Aborted || muster.ReasonOf(err) != projector.ReasonGeneration {
			t.Errorf("behind a page of what was replaced: %v", err)
		}
	}
	fresh, err := v.Scan(t.Context(), s, projector.Limit(2))
	noError(t, err)
	if rest, err := v.Scan(t.Context(), s, projector.PageToken(fresh.Token)); err != nil || len(rest.Rows) != 4 || rest.Rows[0].Value.Sum != 1 {
		t.Errorf("begun again: %v, %v", rest.Rows, err)
	}

	s.Serve("totals", 1, 0)
	_, err = v.Scan(t.Context(), s, projector.PageToken(fresh.Token))
	if e := muster.CodeOf(err); e != muster.Unavailable || muster.ReasonOf(err) != projector.ReasonGeneration {
		t.Errorf("behind a page of what is to come: %v", err)
	}
}

// All tells of a switch between two pages, instead of rows of both generations.
func TestAllIsOfOneGeneration(t *testing.T) {
	v, s := twoGenerations(t)
	var got []int64
	var ended error
	for row, err := range v.All(t.Context(), s, projector.Limit(2)) {
		if ended = err; err == nil {
			got = append(got, row.Value.Sum)
			s.Serve("totals", 1, 1)
		}
	}
	if len(got) != 2 || got[0] != 0 || got[1] != 0 || muster.ReasonOf(ended) != projector.ReasonGeneration {
		t.Errorf("rows %v, then %v", got, ended)
	}
}
