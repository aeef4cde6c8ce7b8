package projector_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/mustertest"
	"github.com/seed-3eec0498/muster/projector"
)

var old = []projector.ReadOption{projector.Stale()}

// newStandbyRig is a view with copies: one holds what it says, and where the copies are the test says.
func newStandbyRig(t *testing.T, partitions int, holder string) *viewRig {
	r := newViewRig(t, partitions, projector.Standbys(1))
	var all []int32
	for p := range int32(partitions) {
		all = append(all, p)
	}
	r.members = mustertest.NewMemoryMembership(all...)
	for _, p := range all {
		r.members.Move(p, holder)
	}
	return r
}

// applied counts the events that an instance applies of shards it holds, and of copies.
type applied struct{ held, copies int }

func (a *applied) count(c *projector.Config) {
	c.Observe.Applied = func(b projector.Applied) {
		if b.Shard.Standby {
			a.copies += b.Events
		} else {
			a.held += b.Events
		}
	}
}

// An instance dies. The one that has a copy serves after it has applied what the copy did not have yet, and not an event more.
func TestATakeOverWithACopyAppliesTheTail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newStandbyRig(t, 1, "one")
		var one, two applied
		r.members.Stand("two", 0)
		r.start(r.on("one"), one.count)
		runner, _ := r.start(r.on("two"), two.count)
		texts := ""
		write := func(n int) {
			for range n {
				text := fmt.Sprint(strings.Count(texts, " ") + 1)
				texts += text + " "
				r.note(0, "a:"+text)
			}
			synctest.Wait()
		}
		write(50)
		s := status(t, runner, 0)
		if !s.Standby || s.State != projector.Live || s.Lag != 0 || len(s.Checkpoint) != 1 || s.Checkpoint[0].Next != 100 || s.Instance != "two" {
			t.Fatalf("the copy says %+v", s)
		}
		if one.held != 50 || two.copies != 50 || two.held != 0 {
			t.Fatalf("applied: %+v and %+v", one, two)
		}
		r.wantView("two", 0, old, "a:"+strings.TrimSpace(texts))
		if rows, err := r.read("two", 0); muster.CodeOf(err) != muster.Unavailable {
			t.Fatalf("a copy gave fresh rows: %v, %v", rows, err)
		}
		if err := runner.Ready(); err != nil {
			t.Error(err)
		}

		r.members.Stand("two") // its copy falls behind
		synctest.Wait()
		write(3)
		r.members.Cut("one")
		synctest.Wait()
		if s := status(t, runner, 0); s.Standby || s.State != projector.Live {
			t.Fatalf("behind the take-over: %+v", s)
		}
		if two.held != 3 || two.copies != 50 {
			t.Errorf("the take-over applied %d events of a tail of 3, and %d before it", two.held, two.copies)
		}
		r.wantView("two", 0, nil, "a:"+strings.TrimSpace(texts))
	})
}

// Orders are done when those who hold the shards have done them, status shows the copies behind them, and what an operator asks about is what is held.
func TestCopiesInTheEyesOfAnOperator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newStandbyRig(t, 2, "one")
		r.members.Stand("two", 0, 1)
		r.fails("bad", always(errBroken))
		one, _ := r.start(r.on("one"))
		two, stopTwo := r.start(r.on("two"))
		r.note(0, "a:1", "a:bad")
		r.note(1, "b:1")
		pass(time.Minute)
		o := r.operator(map[string]*projector.Runner{"one": one, "two": two})
		all, err := o.Status(t.Context(), texts)
		okay(t, err)
		var got []string
		for _, s := range all {
			got = append(got, fmt.Sprintf("%d %s %v parked=%d lag=%d", s.Shard, s.Instance, s.Standby, s.Parked, s.Lag))
		}
		want := "0 one false parked=1 lag=0; 0 two true parked=1 lag=0; 1 one false parked=0 lag=0; 1 two true parked=0 lag=0"
		if strings.Join(got, "; ") != want {
			t.Errorf("status: %s\nwant:   %s", strings.Join(got, "; "), want)
		}
		letters, err := o.Letters(t.Context(), projector.LetterQuery{Scope: texts})
		okay(t, err)
		if len(letters) != 1 {
			t.Errorf("%d letters, those of the shard that is held and no others: %+v", len(letters), letters)
		}
		okay(t, o.Pause(t.Context(), texts))
		synctest.Wait()
		for _, runner := range []*projector.Runner{one, two} {
			wantState(t, runner, 0, projector.Paused, "")
		}
		okay(t, o.Resume(t.Context(), texts))
		r.fails("bad", nil)
		okay(t, o.RetryAll(t.Context(), texts))
		pass(time.Second)
		r.wantView("one", 0, nil, "a:1 bad")
		r.wantView("two", 0, old, "a:1 bad")
		stopTwo()
		synctest.Wait()
		if all, err = o.Status(t.Context(), texts); err != nil || len(all) != 2 {
			t.Errorf("when the copies have gone: %v, %+v", err, all)
		}
	})
}

// A copy heals as what is served does: where the journal was made again, and where a row of its store is damaged.
func TestACopyHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newStandbyRig(t, 1, "one")
		r.members.Stand("two", 0)
		r.note(0, "a:1", "a:2")
		r.start(r.on("one"))
		runner, _ := r.start(r.on("two"))
		r.wantView("two", 0, old, "a:1 2")
		r.journal.Recreate("notes.events")
		r.note(0, "a:9")
		pass(5 * time.Second)
		if s := status(t, runner, 0); !s.Standby || s.State != projector.Live {
			t.Errorf("%+v", s)
		}
		r.wantView("two", 0, old, "a:9")
		r.wantView("one", 0, nil, "a:9")
	})
}

// However the shards and the copies move, the rows end as a fold from the beginning has them, and no two instances serve a shard.
func TestCopiesInAStormOfRebalances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const partitions = 3
		r := newStandbyRig(t, partitions, "0")
		runners := map[string]*projector.Runner{}
		for i := range 3 {
			name := fmt.Sprint(i)
			runners[name], _ = r.start(r.on(name))
		}
		for round := range 30 {
			for p := range int32(partitions) {
				r.note(p, fmt.Sprintf("x:%d", round))
				r.members.Move(p, fmt.Sprint((round*7+int(p))%3))
				r.members.Stand(fmt.Sprint((round+int(p))%3), p, (p+1)%partitions)
			}
			if round%3 == 0 {
				synctest.Wait()
			}
		}
		pass(time.Second)
		want := map[int32]map[string]string{}
		zero, err := projector.Open(r.config(r.on("zero"), func(c *projector.Config) { c.Membership, c.Control = nil, projector.NewMemoryControl() }))
		okay(t, err)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- zero.Run(ctx) }()
		synctest.Wait()
		served := 0
		for p := range int32(partitions) {
			want[p], err = r.read("zero", p)
			okay(t, err)
			for name, runner := range runners {
				for _, s := range runner.Status() {
					if s.Shard != p {
						continue
					}
					rows, err := r.read(name, p, old...)
					if err != nil || !maps.Equal(rows, want[p]) {
						t.Errorf("%s (standby %v) has %v of shard %d, %v; a fold from the beginning has %v", name, s.Standby, rows, p, err, want[p])
					}
					if !s.Standby {
						served++
					}
				}
			}
		}
		if served != partitions {
			t.Errorf("%d shards are served, want %d", served, partitions)
		}
		stop()
		okay(t, <-done)
	})
}

// Copies are worked on one batch at a time, however many there are, and one that is stuck in a function does not hold up the others for good.
func TestCopiesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const partitions = 4
		r := newStandbyRig(t, partitions, "none")
		r.members.Stand("two", 0, 1, 2, 3)
		inside, most := make(chan struct{}, partitions), 0
		go1 := make(chan struct{})
		for p := range int32(partitions) {
			r.fails(fmt.Sprint("slow", p), func(context.Context) error {
				inside <- struct{}{}
				most = max(most, len(inside))
				<-go1
				<-inside
				return nil
			})
			r.note(p, fmt.Sprintf("x:slow%d", p))
		}
		r.members.Member("none", "") // nobody holds the shards
		runner, _ := r.start(r.on("two"), func(c *projector.Config) {
			c.Membership = standbyOnly{r.members.Member("two", "").(projector.StandbyMembership)}
		})
		pass(time.Second)
		if len(inside) != 1 {
			t.Fatalf("%d copies are being worked on at once", len(inside))
		}
		close(go1)
		pass(time.Second)
		if most != 1 || len(runner.Status()) != partitions {
			t.Errorf("%d copies were worked on at once; status %+v", most, runner.Status())
		}
		for p := range int32(partitions) {
			r.wantView("two", p, old, fmt.Sprintf("x:slow%d", p))
		}
	})
}

// standbyOnly takes part for the copies alone.
type standbyOnly struct{ projector.StandbyMembership }

func (standbyOnly) Run(ctx context.Context, _, _ func(context.Context, []int32)) error {
	<-ctx.Done()
	return nil
}

// Copies are for sharded views.
func TestStandbysAreForShardedViews(t *testing.T) {
	g := muster.NewGroup("notes", muster.Partitions(1))
	event := muster.NewEvent[noted](g, "Noted")
	view := func(opts ...projector.Option) *projector.Definition {
		v := projector.NewView[muster.Raw]("texts", opts...)
		projector.On(v, event, func(context.Context, *projector.Rows[muster.Raw], noted, muster.Meta) error { return nil })
		return v.Definition()
	}
	effects := projector.NewEffects("texts", projector.Standbys(1))
	projector.On(effects, event, func(context.Context, projector.Effect, noted, muster.Meta) error { return nil })
	for name, c := range map[string]struct {
		d    *projector.Definition
		want string
	}{
		"a sharded view":    {view(projector.Standbys(7)), ""},
		"a replicated view": {view(projector.Standbys(1), projector.Place(projector.Replicated)), "is for Sharded views"},
		"effects":           {effects.Definition(), "projection texts@1: Standbys is for views"},
		"less than none":    {view(projector.Standbys(-1)), "Standbys is -1"},
	} {
		err := c.d.Validate("")
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
