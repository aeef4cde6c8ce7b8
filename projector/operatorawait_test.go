package projector_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// Operators wait for a version to be ready, for a switch, and for the end of a rebuild; a wait that is over too early says how far it is.
func TestVersionsAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.note(100)
		slow := projector.BuildRate(50)
		in := w.start("one", nil, w.tallies(1, slow), w.tallies(2, slow, projector.Switch(projector.SwitchByHand)))
		o := in.operator
		okay(t, o.AwaitServing(t.Context(), "tallies@1", 0))
		okay(t, o.AwaitReady(t.Context(), "tallies@1", 0))
		soon, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		err := o.AwaitReady(soon, "tallies@2", 0)
		if muster.CodeOf(err) != muster.DeadlineExceeded || !strings.Contains(err.Error(), "has not caught up") {
			t.Errorf("too early: %v", err)
		}
		okay(t, o.AwaitReady(t.Context(), "tallies@2", 0))
		wantCode(t, o.AwaitServing(soon, "tallies@2", 0), muster.DeadlineExceeded)
		okay(t, o.Serve(t.Context(), "tallies", 2))
		okay(t, o.AwaitServing(t.Context(), "tallies@2", 0))

		generation, err := o.Rebuild(t.Context(), "tallies@2")
		okay(t, err)
		okay(t, o.AwaitServing(t.Context(), "tallies@2", generation))
		pass(time.Second) // for what serves here
		if version, serving := in.versions.Serving(); version != 2 || serving != generation {
			t.Errorf("version %d generation %d serves", version, serving)
		}
		in.want(2, 100)
		for _, name := range []string{"tallies", "tallies@", "tallies@0", "tallies@x"} {
			wantCode(t, o.AwaitServing(t.Context(), name, 0), muster.InvalidArgument)
		}
		wantCode(t, o.AwaitReady(t.Context(), "tallies@3", 0), muster.NotFound)
	})
}
