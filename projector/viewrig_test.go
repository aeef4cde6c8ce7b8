package projector_test

import (
	"context"
	"maps"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// viewRig is a rig whose projection is a view: each instance keeps its rows in a store of its own, and they are the texts of an aggregate in the order
// they were applied, as in a rig.
type viewRig struct {
	*rig
	view   *projector.View[muster.Raw]
	stores map[string]*projector.Store // by instance
}

func newViewRig(t *testing.T, partitions int, opts ...projector.Option) *viewRig {
	t.Helper()
	r := &viewRig{rig: newRig(t, partitions), view: projector.NewView[muster.Raw]("texts", opts...), stores: map[string]*projector.Store{}}
	projector.On(r.view, r.event, func(ctx context.Context, rows *projector.Rows[muster.Raw], e noted, m muster.Meta) error {
		r.mu.Lock()
		r.ran[e.Text]++
		bad := r.bad[e.Text]
		r.mu.Unlock()
		if bad != nil {
			if err := bad(ctx); err != nil {
				return err
			}
		}
		return rows.Update(m.AggregateID, func(before muster.Raw) muster.Raw { return append(before, e.Text+" "...) })
	})
	return r
}

// store gives that of an instance, opened at the first call.
func (r *viewRig) store(instance string) *projector.Store {
	r.t.Helper()
	if r.stores[instance] == nil {
		r.stores[instance] = openStore(r.t, projector.StoreConfig{Views: []projector.AnyView{r.view}})
	}
	return r.stores[instance]
}

// on makes the configuration one of an instance.
func (r *viewRig) on(instance string) func(*projector.Config) {
	return func(c *projector.Config) {
		c.Definition, c.Target, c.Instance = r.view.Definition(), r.store(instance), instance
		if r.members != nil {
			c.Membership = r.members.Member(instance, "http://"+instance)
		}
	}
}

// read gives the rows that an instance has of a shard, and whether it takes leave to read old ones for that.
func (r *viewRig) read(instance string, shard int32, opts ...projector.ReadOption) (map[string]string, error) {
	rows := map[string]string{}
	only := func(q *projector.Query) { q.Shards = []int32{shard} }
	for row, err := range r.view.All(r.t.Context(), r.store(instance), append(opts, only)...) {
		if err != nil {
			return nil, err
		}
		rows[row.Key] = string(row.Value)
	}
	return rows, nil
}

// wantView compares the rows of an instance with "aggregate:texts".
func (r *viewRig) wantView(instance string, shard int32, opts []projector.ReadOption, want ...string) {
	r.t.Helper()
	got, err := r.read(instance, shard, opts...)
	if err != nil {
		r.t.Fatalf("%s, shard %d: %v", instance, shard, err)
	}
	if wanted := textRows(want...); !maps.Equal(got, wanted) {
		r.t.Fatalf("%s has rows %q of shard %d, want %q", instance, got, shard, wanted)
	}
}
