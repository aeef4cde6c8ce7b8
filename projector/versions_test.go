package projector_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/mustertest"
	"github.com/seed-3eec0498/muster/projector"
)

// tally is the row of these tests. Which version made it can be seen in it.
type tally struct {
	Made  int `json:"made"` // by this version
	Count int `json:"count"`
}

// world is the ports that instances share.
type world struct {
	t       *testing.T
	group   *muster.Group
	event   *muster.EventType[noted]
	journal *mustertest.MemoryJournal
	control *projector.MemoryControl
	members map[string]*mustertest.MemoryMembership // by name@version
	logs    *lines
}

func newWorld(t *testing.T) *world {
	g := muster.NewGroup("notes", muster.Partitions(2))
	return &world{
		t: t, group: g, event: muster.NewEvent[noted](g, "Noted"), journal: mustertest.NewMemoryJournal(), control: projector.NewMemoryControl(),
		members: map[string]*mustertest.MemoryMembership{}, logs: &lines{},
	}
}

// tallies defines a version: it counts the events of each aggregate.
func (w *world) tallies(version int, opts ...projector.Option) *projector.View[tally] {
	v := projector.NewView[tally]("tallies", append([]projector.Option{projector.Version(version)}, opts...)...)
	projector.On(v, w.event, func(_ context.Context, rows *projector.Rows[tally], _ noted, m muster.Meta) error {
		return rows.Update(m.AggregateID, func(t tally) tally { return tally{version, t.Count + 1} })
	})
	return v
}

// note writes n events of one aggregate per partition.
func (w *world) note(n int) {
	for range n {
		for p := range w.group.Partitions() {
			e := mustertest.NewEvent(w.event, fmt.Sprint("a-", p), noted{})
			w.journal.Append(projector.Source{Topic: w.group.JournalTopic(""), Partition: p}, e)
		}
	}
}

// instance is one process: a store, and the versions its build has.
type instance struct {
	w        *world
	name     string
	store    *projector.Store
	versions *projector.Versions
	operator *projector.Operator
	stop     func()
}

// start starts one. The store of the one before, if any, is taken over.
func (w *world) start(name string, before *instance, views ...*projector.View[tally]) *instance {
	w.t.Helper()
	in := &instance{w: w, name: name}
	var all []projector.AnyView
	for _, v := range views {
		all = append(all, v)
	}
	in.store = openStore(w.t, projector.StoreConfig{Views: all})
	if before != nil {
		w.t.Fatal("stores in memory are not taken over")
	}
	cfg := projector.VersionsConfig{
		Serve: in.store.Serve, Kept: in.store.Kept, WarmTime: time.Hour,
		Runner: projector.Config{Journal: w.journal, Control: w.control, Instance: name, Logger: slog.New(slog.NewTextHandler(w.logs, nil))},
	}
	var definitions []*projector.Definition
	for _, v := range views {
		d := v.Definition()
		definitions = append(definitions, d)
		e := projector.Edition{Definition: d, Target: in.store}
		if d.Placement() == projector.Sharded {
			if w.members[d.String()] == nil {
				w.members[d.String()] = mustertest.NewMemoryMembership(0, 1)
			}
			e.Membership = w.members[d.String()].Member(name, "")
		}
		cfg.Editions = append(cfg.Editions, e)
	}
	var err error
	if in.versions, err = projector.OpenVersions(cfg); err != nil {
		w.t.Fatal(err)
	}
	if in.operator, err = projector.NewOperator(projector.OperatorConfig{Control: w.control, Definitions: definitions, By: name, Look: w.journal.Look}); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- in.versions.Run(ctx) }()
	var once sync.Once
	in.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				w.t.Errorf("Run of %s: %v", name, err)
			}
		})
	}
	w.t.Cleanup(in.stop)
	synctest.Wait()
	return in
}

// read gives what the version that serves answers for partition p, and its name.
func (in *instance) read(p int) (tally, string, error) {
	page, err := in.store.Read(in.w.t.Context(), projector.Query{View: "tallies", Key: fmt.Sprint("a-", p)})
	if err != nil || len(page.Rows) == 0 {
		return tally{}, page.View, errors.Join(err, fmt.Errorf("%d rows", len(page.Rows)))
	}
	var row tally
	err = json.Unmarshal(page.Rows[0].Value, &row)
	return row, page.View, err
}

func (in *instance) want(version, count int) {
	in.w.t.Helper()
	for p := range 2 {
		row, view, err := in.read(p)
		if err != nil || row != (tally{version, count}) || view != fmt.Sprintf("tallies@%d", version) {
			in.w.t.Fatalf("%s answers %+v from %q, %v; want version %d with %d", in.name, row, view, err, version, count)
		}
	}
}

// A new version is built beside the one that serves, at its rate, and takes over in one step on all instances: who reads all the time never sees
// anything but all of the old or all of the new.
func TestVersionTakesOver(t *testing.T) {
	for _, placement := range []projector.Placement{projector.Replicated, projector.Sharded} {
		t.Run(fmt.Sprint("placement ", placement), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.note(500)
				place := projector.Place(placement)
				first := w.start("one", nil, w.tallies(1, place))
				pass(time.Second)
				first.want(1, 500)
				first.stop()

				in := w.start("one", nil, w.tallies(1, place), w.tallies(2, place, projector.BuildRate(100)))
				switched := time.Duration(-1)
				for begin := time.Now(); switched < 0; {
					pass(100 * time.Millisecond)
					row, view, err := in.read(0)
					if err != nil || row.Count != 500 {
						t.Fatalf("after %v: %+v from %s, %v", time.Since(begin), row, view, err)
					}
					if row.Made == 2 {
						switched = time.Since(begin)
					}
					if time.Since(begin) > time.Minute {
						t.Fatalf("it never took over: %s", w.logs)
					}
				}
				if switched < 9*time.Second || switched > 15*time.Second { // 1,000 events at 100 a second
					t.Errorf("it took over after %v; the rate was not kept", switched)
				}
				in.want(2, 500)
				w.note(10)
				pass(time.Second)
				in.want(2, 510)
			})
		})
	}
}

// It waits for every instance: one of an older build, or one that is behind, would give wrong answers.
func TestVersionWaitsForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.note(50)
		place := projector.Place(projector.Replicated)
		old := w.start("one", nil, w.tallies(1, place))
		late := w.start("two", nil, w.tallies(1, place), w.tallies(2, place))
		pass(10 * time.Second)
		late.want(1, 50)
		all, err := late.operator.Versions(t.Context(), "tallies")
		if err != nil || len(all) != 2 || all[0].Projection != "tallies@2" || all[0].Ready || all[0].Serving || !all[1].Serving || !all[1].Ready {
			t.Errorf("%+v, %v", all, err)
		}
		if err := late.operator.Serve(t.Context(), "tallies", 2); muster.CodeOf(err) != muster.FailedPrecondition || !strings.Contains(err.Error(), "tallies@2") {
			t.Errorf("serving a version that is not everywhere: %v", err)
		}
		old.stop()
		pass(10 * time.Second)
		late.want(2, 50)
	})
}

// An instance that died without a word does not hold it up for ever.
func TestVersionOutlivesTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.note(5)
		place := projector.Place(projector.Replicated)
		last := []byte(`{"format":1,"when":"2026-01-01T00:00:00Z","shards":[{"Projection":"tallies@1","Shard":-1,"Instance":"dead","State":"live"}]}`)
		if _, err := w.control.Put(t.Context(), "status/tallies@1/dead/0", last); err != nil {
			t.Fatal(err)
		}
		in := w.start("one", nil, w.tallies(1, place), w.tallies(2, place))
		pass(20 * time.Second)
		in.want(1, 5)
		pass(20 * time.Second)
		in.want(2, 5)
	})
}

// By hand there and back. What was switched away from is not taken up again by itself, and stays until its time is over.
func TestVersionByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.note(5)
		place := projector.Place(projector.Replicated)
		in := w.start("one", nil, w.tallies(1, place), w.tallies(2, place, projector.Switch(projector.SwitchByHand), projector.KeepOld(time.Hour)))
		pass(time.Minute)
		in.want(1, 5)
		serve := func(version int) {
			t.Helper()
			if err := in.operator.Serve(t.Context(), "tallies", version); err != nil {
				t.Fatal(err)
			}
			pass(time.Second)
			in.want(version, 5)
		}
		serve(2)
		serve(1)
		pass(10 * time.Minute)
		in.want(1, 5)
		serve(2)
		pass(50 * time.Minute)
		serve(1)
		serve(2)
		pass(59 * time.Minute)
		for version := range 3 {
			if err := in.versions.Retired(version + 1); err != nil {
				t.Errorf("before its time is over: %v", err)
			}
		}
		pass(2 * time.Minute)
		for _, s := range in.store.Kept("tallies") {
			if s.Version == 1 {
				t.Errorf("rows of version 1 are there an hour after it was switched away from: %v", s)
			}
		}
		if err := in.versions.Retired(1); muster.CodeOf(err) != muster.FailedPrecondition || muster.ReasonOf(err) != projector.ReasonRetired || !strings.Contains(err.Error(), "tallies@2 serves") {
			t.Errorf("who reads what was removed is told %v", err)
		}
		if err := in.operator.Serve(t.Context(), "tallies", 1); muster.CodeOf(err) != muster.FailedPrecondition {
			t.Errorf("serving what was removed: %v", err)
		}
		if err := in.operator.Serve(t.Context(), "tallies", 7); muster.CodeOf(err) != muster.NotFound {
			t.Errorf("serving what does not exist: %v", err)
		}
		in.want(2, 5)
	})
}

// stuck is version 2, whose function waits for the gate: it was live on an empty journal, and then falls behind.
func (w *world) stuck(gate <-chan struct{}, opts ...projector.Option) *projector.View[tally] {
	v := projector.NewView[tally]("tallies", append([]projector.Option{projector.Version(2), projector.HandlerDeadline(time.Hour)}, opts...)...)
	projector.On(v, w.event, func(_ context.Context, rows *projector.Rows[tally], _ noted, m muster.Meta) error {
		<-gate
		return rows.Update(m.AggregateID, func(t tally) tally { return tally{2, t.Count + 1} })
	})
	return v
}

// A version that was live once and has fallen behind since does not take over: its state alone is no proof that it has what the one that serves
// has. Neither by itself nor by hand do answers go back in time.
func TestVersionFallenBehind(t *testing.T) {
	place := projector.Place(projector.Replicated)
	t.Run("by itself", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w, gate := newWorld(t), make(chan struct{})
			last := []byte(`{"format":1,"when":"2026-01-01T00:00:00Z","shards":[{"Projection":"tallies@1","Shard":-1,"Instance":"dead","State":"live"}]}`)
			if _, err := w.control.Put(t.Context(), "status/tallies@1/dead/0", last); err != nil { // holds it up for 30 seconds
				t.Fatal(err)
			}
			in := w.start("one", nil, w.tallies(1, place), w.stuck(gate, place))
			open := sync.OnceFunc(func() { close(gate) })
			t.Cleanup(open)
			pass(10 * time.Second)
			w.note(7)
			pass(time.Minute)
			in.want(1, 7)
			open()
			pass(10 * time.Second)
			in.want(2, 7)
		})
	})
	t.Run("by hand", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w, gate := newWorld(t), make(chan struct{})
			in := w.start("one", nil, w.tallies(1, place), w.stuck(gate, place, projector.Switch(projector.SwitchByHand)))
			open := sync.OnceFunc(func() { close(gate) })
			t.Cleanup(open)
			pass(10 * time.Second)
			w.note(7)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if err := in.operator.Serve(ctx, "tallies", 2); muster.CodeOf(err) != muster.DeadlineExceeded && muster.CodeOf(err) != muster.FailedPrecondition {
				t.Errorf("serving a version that is behind: %v", err)
			}
			pass(time.Minute)
			in.want(1, 7)
			open()
			if err := in.operator.Serve(t.Context(), "tallies", 2); err != nil {
				t.Fatal(err)
			}
			pass(time.Second)
			in.want(2, 7)
		})
	})
}
