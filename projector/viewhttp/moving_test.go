package viewhttp_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/viewhttp"
)

// copies writes a row to the copies of all instances, as those have it that follow the journals.
func (f *fleet) copies(shard int32, key string, row total) {
	f.t.Helper()
	for n, i := range f.all {
		held := i.holdings[shard]
		if held == nil {
			var err error
			if held, err = i.store.Claim(f.t.Context(), f.shard(shard)); err != nil {
				f.t.Fatal(err)
			}
		}
		f.apply(held, shard, 1, func(rows *projector.Rows[total]) error {
			return errors.Join(rows.Put(key, row), rows.Add("all", int64(row.Sum)))
		})
		if f.holders[shard] != n {
			held.Release()
		}
	}
}

// While shards move without end, readers on all instances and over HTTP get every row, once, or an error that says: ask again.
func TestReadsWhileShardsMove(t *testing.T) {
	for _, routed := range []bool{false, true} {
		f := newFleet(t, false)
		f.routed = routed
		const rows = 30
		for n := range rows {
			key := fmt.Sprintf("acc-%02d", n)
			f.copies(shardOf(key), key, total{Owner: "ann", Sum: 1})
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var readers sync.WaitGroup
		var refusals atomic.Int64
		answers := make(chan struct{})
		for n := range 4 {
			var from projector.Reader = f.all[n%3].router
			if n == 3 {
				from = client(t, f.all[0].address)
			}
			readers.Go(func() {
				for turn := 0; ctx.Err() == nil; turn++ {
					err := f.look(ctx, from, turn, rows)
					switch {
					case err == nil:
						select {
						case answers <- struct{}{}:
						case <-ctx.Done():
						}
					case muster.CodeOf(err) == muster.Unavailable:
						refusals.Add(1)
					case ctx.Err() == nil:
						t.Errorf("reader %d, turn %d: %v", n, turn, err)
						return // the others go on
					}
				}
			})
		}
		for range 100 {
			f.move(rand.Int32N(fleetShards), rand.IntN(3))
			for range 3 { // an answer may take some tries, for which shards must hold still
				select {
				case <-answers:
				case <-time.After(time.Minute):
					t.Fatal("no reader gets an answer")
				}
			}
		}
		cancel()
		readers.Wait()
		t.Logf("routed %v: %d times told to ask again", routed, refusals.Load())
	}
}

// look reads in one of several ways and says what is wrong with the answer.
func (f *fleet) look(ctx context.Context, from projector.Reader, turn, rows int) error {
	switch turn % 4 {
	case 0:
		row, err := f.view.Get(ctx, from, fmt.Sprintf("acc-%02d", turn%rows))
		if err == nil && row.Sum != 1 {
			return fmt.Errorf("a wrong row: %v", row)
		}
		return err
	case 1:
		sum, err := f.view.Count(ctx, from, "all")
		if err == nil && sum != int64(rows) {
			return fmt.Errorf("the counter is %d", sum)
		}
		return err
	case 2:
		page, err := f.view.ByIndex(ctx, from, "owner", "ann")
		if err == nil && len(page.Rows) != rows {
			return fmt.Errorf("%d rows by index", len(page.Rows))
		}
		return err
	}
	n := 0
	for row, err := range f.view.All(ctx, from, projector.Limit(7)) {
		if err != nil {
			return err
		}
		if want := fmt.Sprintf("acc-%02d", n); row.Key != want {
			return fmt.Errorf("row %q where %q belongs", row.Key, want)
		}
		n++
	}
	if n != rows {
		return fmt.Errorf("%d rows", n)
	}
	return nil
}

// A watch over all instances ends up with every row, whatever moves; each time it tells the watcher to forget what it has.
func TestWatchWhileShardsMove(t *testing.T) {
	for _, merge := range []bool{false, true} {
		f := newFleet(t, merge)
		ctx, cancel := context.WithCancel(t.Context())
		var watchers sync.WaitGroup
		var mirrors []*mirror
		for n := range 3 {
			m := &mirror{rows: map[string]string{}}
			mirrors = append(mirrors, m)
			var from projector.Reader = f.all[n].router
			if n == 2 {
				from = client(t, f.all[2].address)
			}
			watchers.Go(func() {
				err := from.Watch(ctx, projector.Query{View: "totals", Prefix: "acc"}, m.take)
				if !errors.Is(err, context.Canceled) {
					t.Errorf("watch %d ended: %v", n, err)
				}
			})
		}
		want := map[string]string{}
		for turn := range 40 {
			key := fmt.Sprintf("acc-%d", turn%7)
			shard := shardOf(key)
			if merge { // each shard has its part of one row
				f.put(int32(turn%fleetShards), "acc-all", total{Owner: "ann", Sum: 1})
				want["acc-all"] = fmt.Sprintf(`{"owner":"ann","sum":%d}`, min(turn+1, fleetShards))
			}
			if turn%9 == 8 {
				f.write(shard, func(rows *projector.Rows[total]) error { return rows.Delete(key) })
				delete(want, key)
			} else {
				f.put(shard, key, total{Owner: "ann", Sum: turn})
				want[key] = fmt.Sprintf(`{"owner":"ann","sum":%d}`, turn)
			}
			if turn%10 == 5 {
				for _, m := range mirrors {
					m.until(t, want)
				}
				f.carry(int32(turn%fleetShards), rand.IntN(3))
			}
		}
		for _, m := range mirrors {
			m.until(t, want)
		}
		cancel()
		watchers.Wait()
		if mirrors[0].resets == 0 {
			t.Error("no reset was seen: did nothing move?")
		}
	}
}

// carry moves a shard with its rows.
func (f *fleet) carry(shard int32, to int) {
	f.t.Helper()
	from := f.all[f.holders[shard]]
	rows := everything(f.t, from.store, projector.Query{View: "totals", Shards: []int32{shard}})
	held, err := f.all[to].store.Claim(f.t.Context(), f.shard(shard))
	if err != nil {
		f.t.Fatal(err)
	}
	if f.all[to] == from {
		f.all[to].holdings[shard] = held
		return
	}
	f.apply(held, shard, f.offsets[shard], func(r *projector.Rows[total]) error {
		for _, row := range rows {
			var value total
			if err := unmarshal(row.Value, &value); err != nil {
				return err
			}
			if err := r.Put(row.Key, value); err != nil {
				return err
			}
		}
		return nil
	})
	held.Release()
	f.move(shard, to)
}

// A switch of version begins a watch anew, on an instance that has nothing else to tell.
func TestWatchSeesLayoutChange(t *testing.T) {
	f := newFleet(t, false)
	f.put(0, "acc-1", total{Sum: 1})
	m := &mirror{rows: map[string]string{}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	router := viewhttp.NewRouter(viewhttp.Routing{Self: "pod-0", Local: f.all[0], Directory: f})
	go func() { ended <- router.Watch(ctx, projector.Query{View: "totals"}, m.take) }()
	m.until(t, map[string]string{"acc-1": `{"owner":"","sum":1}`})
	f.mu.Lock()
	f.version = 2 // which no instance has
	f.mu.Unlock()
	if err := <-ended; muster.CodeOf(err) != muster.NotFound {
		t.Error(err)
	}
	cancel()
}
