package projector_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/mustertest"
	"github.com/seed-3eec0498/muster/projector"
)

// The rows of a view are a fold of its journal: where that is another one, they are made anew, and it is told. Who says Stop decides by hand.
func TestAViewIsBuiltAnewWhereItsJournalIsAnother(t *testing.T) {
	for name, c := range map[string]struct {
		change func(r *viewRig)
		reason string
		anew   string
	}{
		"made again": {func(r *viewRig) { r.journal.Recreate("notes.events"); r.note(0, "a:9", "a:9") }, projector.ReasonRecreated, "a:9 9"},
		"cut short":  {func(r *viewRig) { r.journal.Truncate(r.source(0), 2) }, projector.ReasonAhead, "a:1 2"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newViewRig(t, 1)
				r.note(0, "a:1", "a:2", "a:3")
				var told []projector.Anew
				runner, _ := r.start(r.on("one"), func(c *projector.Config) {
					c.Observe.Anew = func(a projector.Anew) { told = append(told, a) }
				})
				r.wantView("one", 0, nil, "a:1 2 3")
				c.change(r)
				pass(5 * time.Second)
				wantState(t, runner, 0, projector.Live, "")
				r.wantView("one", 0, nil, c.anew)
				if len(told) != 1 || told[0].Reason != c.reason || told[0].Shard.Number != 0 {
					t.Errorf("told: %+v", told)
				}
				if log := r.logs.String(); !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "is dropped; the shard is built anew") || !strings.Contains(log, c.reason) {
					t.Errorf("the log has no word of it:\n%s", log)
				}
			})
		})
		t.Run(name+", by hand", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newViewRig(t, 1, projector.OnUnfit(projector.Stop))
				r.note(0, "a:1", "a:2", "a:3")
				runner, _ := r.start(r.on("one"))
				c.change(r)
				pass(5 * time.Second)
				wantState(t, runner, 0, projector.Stopped, c.reason)
				r.wantView("one", 0, []projector.ReadOption{projector.Stale()}, "a:1 2 3")
			})
		})
	}
}

// What is done outside cannot be done anew without being asked, and Rebuild is no answer to an event that fails.
func TestRebuildIsForViews(t *testing.T) {
	g := muster.NewGroup("notes", muster.Partitions(1))
	event := muster.NewEvent[noted](g, "Noted")
	view := func(opts ...projector.Option) *projector.Definition {
		v := projector.NewView[muster.Raw]("texts", opts...)
		projector.On(v, event, func(context.Context, *projector.Rows[muster.Raw], noted, muster.Meta) error { return nil })
		return v.Definition()
	}
	memory := mustertest.NewMemoryProjection("texts", projector.OnUnfit(projector.Rebuild))
	for name, c := range map[string]struct {
		d    *projector.Definition
		want string
	}{
		"a view":            {view(projector.OnUnfit(projector.Rebuild)), ""},
		"another target":    {memory.Definition(), "OnUnfit(Rebuild) is for views"},
		"another outcome":   {view(projector.OnUnfit(projector.Park)), "choose Stop, or Rebuild"},
		"an event's policy": {view(projector.OnFailure(projector.Policy{Then: projector.Rebuild})), "Rebuild is for OnUnfit"},
	} {
		err := c.d.Validate("")
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
