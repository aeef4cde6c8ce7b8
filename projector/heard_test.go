package projector_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-3eec0498/muster/projector"
)

// A new shard begins with nothing, and one that is there carries nothing out, before the keys of an erased person are known to be gone: what still opens
// would be written again.
func TestAShardWaitsUntilAnErasureIsHeardOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		var heard atomic.Value
		heard.Store("")
		erase := func(id string) {
			okay(t, r.operator(nil).Erase(t.Context(), "texts", projector.SubjectErased{Erasure: id, Subject: erasedRef("anna")}))
		}
		erase("e1")
		runner, _ := r.start(func(c *projector.Config) {
			c.Heard = func(_ context.Context, e projector.SubjectErased) error {
				if e.Subject != erasedRef("anna") {
					t.Errorf("asked about %+v", e)
				}
				if heard.Load() != e.Erasure {
					return errors.New("the keys of this process lag")
				}
				return nil
			}
		})
		o := r.operator(map[string]*projector.Runner{"one": runner})
		want := func(id string, state projector.State, reason string, shards ...int32) {
			t.Helper()
			pass(time.Minute)
			wantState(t, runner, 0, state, reason)
			if done, err := o.Erased("texts", id); err != nil || !slices.Equal(done, shards) {
				t.Errorf("%s is done in the shards %v, %v; want %v", id, done, err, shards)
			}
		}
		r.note(0, "a:1")
		want("e1", projector.Away, projector.ReasonErasing)
		r.wantRows(0)
		heard.Store("e1")
		want("e1", projector.Live, "", 0)
		r.wantRows(0, "a:1")

		erase("e2")
		want("e2", projector.Away, projector.ReasonErasing)
		heard.Store("e2")
		want("e2", projector.Live, "", 0)
	})
}
