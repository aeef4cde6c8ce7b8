package viewhttp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/viewhttp"
)

const fleetShards = 6

// fleet is three instances of a service: a view store each, with a router over all and a handler in front, and a directory that all share.
type fleet struct {
	t       testing.TB
	view    *projector.View[total]
	all     []*instance
	servers []*httptest.Server

	merge, routed bool // what the layout says
	looks         atomic.Int32

	onLook, onRead func(fresh bool, q projector.Query) // called with each look at the layout, and each read of a store; set before the first

	mu      sync.Mutex // guards the rest
	version int
	holders map[int32]int // index of the instance, by shard
	told    map[int32]int // what a lookup that is not fresh gives
	offsets map[int32]int64
}

type total struct {
	Owner string `json:"owner"`
	Sum   int    `json:"sum"`
}

type instance struct {
	fleet    *fleet
	name     string
	store    *projector.Store
	router   *viewhttp.Router
	reads    atomic.Int32 // of its store
	address  string
	holdings map[int32]projector.Holding // of the test's goroutine
}

// Read counts.
func (i *instance) Read(ctx context.Context, q projector.Query) (projector.Page, error) {
	i.reads.Add(1)
	if i.fleet.onRead != nil {
		i.fleet.onRead(false, q)
	}
	return i.store.Read(ctx, q)
}

// Watch passes on.
func (i *instance) Watch(ctx context.Context, q projector.Query, fn func(projector.Update) error) error {
	return i.store.Watch(ctx, q, fn)
}

func newFleet(t testing.TB, merge bool) *fleet {
	t.Helper()
	f := &fleet{t: t, merge: merge, version: 1, holders: map[int32]int{}, told: map[int32]int{}, offsets: map[int32]int64{}}
	f.view = projector.NewView[total]("totals")
	projector.Index(f.view, "owner", func(_ string, row total) []string { return []string{row.Owner} })
	if merge {
		projector.Merge(f.view, func(a, b total) total { return total{Owner: min(a.Owner, b.Owner), Sum: a.Sum + b.Sum} })
	}
	for n := range 3 {
		i := &instance{fleet: f, name: fmt.Sprintf("pod-%d", n), holdings: map[int32]projector.Holding{}}
		var err error
		if i.store, err = projector.OpenStore(projector.StoreConfig{Views: []projector.AnyView{f.view}}); err != nil {
			t.Fatal(err)
		}
		i.router = viewhttp.NewRouter(viewhttp.Routing{Self: i.name, Local: i, Directory: f})
		h := viewhttp.New(i.router, viewhttp.Options{Local: i})
		server := httptest.NewServer(h)
		i.address = server.URL
		f.all, f.servers = append(f.all, i), append(f.servers, server)
		t.Cleanup(func() {
			h.Close()
			server.Close()
			for _, held := range i.holdings {
				held.Release()
			}
			if err := i.store.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	for s := range int32(fleetShards) {
		f.claim(s, int(s)%3)
	}
	return f
}

func (f *fleet) shard(number int32) projector.Shard {
	return projector.Shard{
		Projection: f.view.String(), Name: f.view.Name(), Version: 1, Number: number,
		Sources: []projector.Source{{Topic: topic, Partition: number}},
	}
}

func (f *fleet) claim(shard int32, to int) {
	f.t.Helper()
	held, err := f.all[to].store.Claim(f.t.Context(), f.shard(shard))
	if err != nil {
		f.t.Fatal(err)
	}
	f.all[to].holdings[shard] = held
	f.mu.Lock()
	defer f.mu.Unlock()
	f.holders[shard] = to
}

// move gives a shard to another instance, which has the same rows: those of the copies are written to all.
func (f *fleet) move(shard int32, to int) {
	f.t.Helper()
	f.mu.Lock()
	from := f.holders[shard]
	f.mu.Unlock()
	if from != to {
		f.all[from].holdings[shard].Release()
		delete(f.all[from].holdings, shard)
		f.claim(shard, to)
	}
}

// write applies an event of a shard on its holder.
func (f *fleet) write(shard int32, fn func(rows *projector.Rows[total]) error) {
	f.t.Helper()
	f.mu.Lock()
	to := f.holders[shard]
	f.offsets[shard]++
	next := f.offsets[shard]
	f.mu.Unlock()
	f.apply(f.all[to].holdings[shard], shard, next, fn)
}

func (f *fleet) apply(held projector.Holding, shard int32, next int64, fn func(rows *projector.Rows[total]) error) {
	f.t.Helper()
	batch, err := held.Begin(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	if err := fn(f.view.Hand(batch.Tx())); err != nil {
		f.t.Fatal(err)
	}
	at := projector.Checkpoint{Source: projector.Source{Topic: topic, Partition: shard}, Next: next, LastAt: -1}
	if err := batch.Commit(f.t.Context(), projector.Change{Checkpoints: []projector.Checkpoint{at}}); err != nil {
		f.t.Fatal(err)
	}
}

// shardOf is where the row of a key lies, in views that say so.
func shardOf(key string) int32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	return int32(h.Sum32() % fleetShards)
}

// Layout implements the directory. What is not asked for fresh may be as it was at the last fresh look.
func (f *fleet) Layout(_ context.Context, view string, version int, fresh bool) (viewhttp.Layout, error) {
	if f.onLook != nil {
		f.onLook(fresh, projector.Query{View: view, Version: version})
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looks.Add(1)
	if view != "totals" || version > f.version {
		return viewhttp.Layout{}, muster.Errorf(muster.NotFound, "there is no view %s", view)
	}
	if fresh || len(f.told) == 0 {
		f.told = maps.Clone(f.holders)
	}
	l := viewhttp.Layout{Version: f.version, Holders: map[int32]projector.Instance{}, Sources: func(p muster.Position) (int32, bool) {
		return p.Partition, p.Topic == topic && p.Partition < fleetShards
	}}
	for s := range int32(fleetShards) {
		l.Shards = append(l.Shards, s)
		if at, held := f.told[s]; held {
			l.Holders[s] = projector.Instance{Name: f.all[at].name, Address: f.all[at].address}
		}
	}
	if f.routed {
		l.ShardOf = shardOf
	}
	if f.merge {
		l.Merge = func(rows []projector.RawRow) (projector.RawRow, error) {
			row, _, err := projector.MergeRaw(f.view, rows)
			return row, err
		}
	}
	return l, nil
}

func (f *fleet) put(shard int32, key string, row total) {
	f.t.Helper()
	f.write(shard, func(rows *projector.Rows[total]) error {
		if err := rows.Add("all", int64(row.Sum)); err != nil {
			return err
		}
		return rows.Put(key, row)
	})
}

// everything reads all pages of a query.
func everything(t testing.TB, from projector.Reader, q projector.Query) []projector.RawRow {
	t.Helper()
	var all []projector.RawRow
	for {
		p, err := from.Read(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if q.Limit > 0 && len(p.Rows) > q.Limit {
			t.Fatalf("a page of %d rows, limit %d", len(p.Rows), q.Limit)
		}
		all = append(all, p.Rows...)
		if q.Token = p.Token; q.Token == "" {
			return all
		}
	}
}

// told gives rows as a text, to compare.
func text(rows []projector.RawRow) string {
	lines := make([]string, len(rows))
	for i, r := range rows {
		lines[i] = fmt.Sprintf("%s=%s", r.Key, r.Value)
	}
	return strings.Join(lines, "\n")
}

func unmarshal(b []byte, to any) error { return json.Unmarshal(b, to) }
