package projector_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

func TestAJournalThatIsNotTheOneStopsTheShard(t *testing.T) {
	for name, c := range map[string]struct {
		change func(r *rig)
		reason string
		anew   string
	}{
		"made again": {func(r *rig) { r.journal.Recreate("notes.events"); r.note(0, "a:9", "a:9", "a:9", "a:9") }, projector.ReasonRecreated, "a:9 9 9 9"},
		"cut short":  {func(r *rig) { r.journal.Truncate(r.source(0), 2) }, projector.ReasonAhead, "a:1 2"},
		"cut and written again": {func(r *rig) {
			r.journal.Truncate(r.source(0), 1)
			r.note(0, "a:7", "a:8", "a:9", "a:9")
		}, projector.ReasonRecreated, "a:1 7 8 9 9"},
		"beginning cut behind the checkpoint": {func(r *rig) {
			r.note(0, "a:4")
			r.note(0, "a:5")
			r.journal.Cut(r.source(0), 6)
		}, projector.ReasonAhead, "a:5"},
	} {
		for _, running := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", while it runs: ", running), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					if running && (name == "beginning cut behind the checkpoint" || name == "cut and written again") {
						t.Skip("a running feed is there already, or is behind what was written again")
					}
					r := newRig(t, 1)
					r.note(0, "a:1", "a:2", "a:3")
					runner, stop := r.start()
					synctest.Wait()
					if !running {
						stop()
					}
					c.change(r)
					if !running {
						runner, _ = r.start()
					}
					pass(10 * time.Second)
					wantState(t, runner, 0, projector.Stopped, c.reason)
					r.wantRows(0, "a:1 2 3")
					o := r.operator(map[string]*projector.Runner{"one": runner})
					okay(t, o.Resume(t.Context(), texts))
					wantState(t, runner, 0, projector.Stopped, c.reason)
					wantCode(t, o.Skip(t.Context(), "texts", 0), muster.FailedPrecondition)
					okay(t, o.Restart(t.Context(), texts))
					pass(2 * time.Second) // where a command was cut, its rest is waited for
					wantState(t, runner, 0, projector.Live, "")
				})
			})
		}
		t.Run(name+", built anew by itself", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, 1)
				r.note(0, "a:1", "a:2", "a:3")
				_, stop := r.start()
				stop()
				c.change(r)
				asked := ""
				runner, _ := r.start(func(conf *projector.Config) {
					conf.OnUnfit = func(_ context.Context, _ projector.Shard, reason string) bool {
						asked = reason
						return true
					}
				})
				pass(3 * time.Second)
				wantState(t, runner, 0, projector.Live, "")
				r.wantRows(0, c.anew)
				if asked != c.reason {
					t.Errorf("asked for %q", asked)
				}
			})
		})
	}
}

func TestATargetThatCannotGoOnStopsTheShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		r.target.Intercept(func(step string, _ projector.Shard) error {
			if step == "claim" {
				return fmt.Errorf("format 9: %w", projector.ErrUnfit)
			}
			return nil
		})
		runner, o := r.operated(t)
		wantState(t, runner, 0, projector.Stopped, projector.ReasonStore)
		r.target.Intercept(nil)
		pass(time.Hour)
		wantState(t, runner, 0, projector.Stopped, projector.ReasonStore)
		okay(t, o.Resume(t.Context(), texts))
		wantState(t, runner, 0, projector.Live, "")
	})
}

func TestAStartCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, projector.FromLatest())
		r.note(0, "a:1")
		_, stop := r.start()
		stop()
		r.note(0, "a:2")
		r.start()
		r.wantRows(0, "a:2")
	})
}

func TestEventsBelowTheMarkAreReplayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		r.note(0, "a:1", "a:2")
		r.start(func(c *projector.Config) {
			c.Mark, c.Generation = map[projector.Source]int64{r.source(0): 1}, 3
		})
		r.mu.Lock()
		defer r.mu.Unlock()
		if !r.old["1"].Replayed || r.old["2"].Replayed {
			t.Errorf("replayed are %+v", r.old)
		}
		if one := r.old["1"]; one.Key != "notes/a" || one.Shard.Generation != 3 || one.ID == r.old["2"].ID || one.ID == "" {
			t.Errorf("the function is told %+v", one)
		}
	})
}
