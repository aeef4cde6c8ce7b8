package projector_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// erasedEverywhere orders an erasure as it was done a month ago.
func (r *viewRig) erasedEverywhere(who string) {
	r.t.Helper()
	o, err := projector.NewOperator(projector.OperatorConfig{
		Control: r.control, Definitions: []*projector.Definition{r.view.Definition()}, Now: func() time.Time { return time.Now().Add(-30 * 24 * time.Hour) },
	})
	okay(r.t, err)
	okay(r.t, o.Erase(r.t.Context(), "texts", projector.SubjectErased{Erasure: "of-" + who, Subject: erasedRef(who)}))
}

// An instance was away for longer than other orders are kept, and has rows of somebody who was erased since. When it comes back it carries the erasure out
// before it shows its rows to anybody, also where that fails at first.
func TestRowsThatComeBackAreErasedBeforeTheyAreShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newViewRig(t, 1)
		var erased atomic.Int32
		var broken atomic.Bool
		shown := func() (map[string]string, error) { return r.read("two", 0) }
		projector.OnErased(r.view, func(_ context.Context, rows *projector.Rows[muster.Raw], e projector.SubjectErased) error {
			if e.Subject != erasedRef("anna") {
				t.Errorf("told of %+v", e)
			}
			if got, err := shown(); erased.Load() > 0 && muster.CodeOf(err) != muster.Unavailable {
				t.Errorf("rows of before the erasure are shown: %q, %v", got, err)
			}
			if broken.Load() {
				return errors.New("not yet")
			}
			erased.Add(1)
			return rows.Delete("anna")
		})
		_, stop := r.start(r.on("two"))
		r.note(0, "anna:1", "bert:1")
		pass(time.Second)
		r.wantView("two", 0, nil, "anna:1", "bert:1")
		stop()

		r.erasedEverywhere("anna")
		_, stop = r.start(r.on("one"))
		pass(time.Minute) // orders as old as this one are forgotten meanwhile
		r.wantView("one", 0, nil, "anna:1", "bert:1")
		if entries, _ := r.control.Entries(); erased.Load() != 0 || !slices.ContainsFunc(tableKeys(entries), func(key string) bool { return strings.HasPrefix(key, "act/erase-") }) {
			t.Fatalf("%d erasures by an instance that began behind it; the table has %v", erased.Load(), tableKeys(entries))
		}
		stop()

		broken.Store(true)
		erased.Store(1) // from now on nothing of two may be seen before
		runner, _ := r.start(r.on("two"))
		wantState(t, runner, 0, projector.Away, projector.ReasonErasing)
		if got, err := r.read("two", 0); muster.CodeOf(err) != muster.Unavailable {
			t.Errorf("while it cannot be carried out: %q, %v", got, err)
		}
		broken.Store(false)
		pass(time.Minute)
		wantState(t, runner, 0, projector.Live, "")
		r.wantView("two", 0, nil, "bert:1")
		if erased.Load() != 2 {
			t.Errorf("carried out %d times, want once", erased.Load()-1)
		}
		r.note(0, "bert:2")
		pass(time.Second)
		r.wantView("two", 0, nil, "bert:1 2")
	})
}

func tableKeys(entries map[string]projector.Entry) (keys []string) {
	for key := range entries {
		keys = append(keys, key)
	}
	return keys
}

// forgettingCodec notes what the codec is told to forget.
type forgettingCodec struct {
	muster.PlainCodec
	forgot []muster.SubjectRef
}

func (c *forgettingCodec) Forget(subject muster.SubjectRef) { c.forgot = append(c.forgot, subject) }

// A shard that begins behind an erasure has nothing to remove. What it reads from then on must not be opened with a key that the process had in hand.
func TestAShardThatBeginsBehindAnErasureForgetsTheKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newViewRig(t, 1)
		r.erasedEverywhere("anna")
		codec := &forgettingCodec{}
		runner, _ := r.start(r.on("one"), func(c *projector.Config) { c.Codec = codec })
		wantState(t, runner, 0, projector.Live, "")
		if !slices.Contains(codec.forgot, erasedRef("anna")) {
			t.Errorf("forgotten: %v", codec.forgot)
		}
	})
}
