package projector_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-3eec0498/muster/projector"
)

// A rebuild goes on beside what serves; the rows change over in one step, also while events come, and the old generation is removed.
func TestRebuild(t *testing.T) {
	for _, placement := range []projector.Placement{projector.Replicated, projector.Sharded} {
		t.Run(fmt.Sprint("placement ", placement), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.note(200)
				one, two := projector.Place(placement), projector.BuildRate(50)
				in := w.start("one", nil, w.tallies(1, one, two))
				pass(time.Second)
				in.want(1, 200)
				generation, err := in.operator.Rebuild(t.Context(), "tallies")
				if err != nil || generation != 1 {
					t.Fatalf("generation %d, %v", generation, err)
				}
				pass(time.Second)
				w.note(1)
				pass(time.Second)
				in.want(1, 201)
				building := false
				for _, s := range in.versions.Status() {
					building = building || s.Generation == 1 && s.State == projector.CatchingUp && s.Lag > 0
				}
				if !building {
					t.Errorf("nothing says that generation 1 is being built: %+v", in.versions.Status())
				}
				pass(time.Minute)
				in.want(1, 201)
				for _, s := range in.store.Kept("tallies") {
					if s.Generation != 1 {
						t.Errorf("%v of generation %d is still there", s, s.Generation)
					}
				}
				if version, generation := in.versions.Serving(); version != 1 || generation != 1 {
					t.Errorf("version %d generation %d serves", version, generation)
				}
			})
		})
	}
}

// A target that keeps one generation begins anew in place; what was in the journal when the rebuild was ordered is shown as replayed.
func TestRebuildInPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		r.note(0, "a:first")
		versions, err := projector.OpenVersions(projector.VersionsConfig{
			Editions: []projector.Edition{{Definition: r.p.Definition(), Target: r.target}}, Runner: r.config(),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- versions.Run(ctx) }()
		pass(time.Second)
		operator, err := projector.NewOperator(projector.OperatorConfig{Control: r.control, Definitions: []*projector.Definition{r.p.Definition()}, Look: r.journal.Look})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := operator.Rebuild(t.Context(), "texts"); err != nil {
			t.Fatal(err)
		}
		r.note(0, "a:second")
		pass(5 * time.Second)
		if r.runs("first") != 2 || r.runs("second") == 0 {
			t.Errorf("functions ran %d and %d times", r.runs("first"), r.runs("second"))
		}
		r.mu.Lock()
		first, second := r.old["first"], r.old["second"]
		r.mu.Unlock()
		if !first.Replayed || second.Replayed || first.Shard.Generation != 1 {
			t.Errorf("replayed: %v and %v, generation %d", first.Replayed, second.Replayed, first.Shard.Generation)
		}
		if all := versions.Status(); len(all) != 1 || all[0].Generation != 1 || all[0].State != projector.Live {
			t.Errorf("%+v", all)
		}
		if version, generation := versions.Serving(); version != 1 || generation != 1 {
			t.Errorf("version %d generation %d serves", version, generation)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
