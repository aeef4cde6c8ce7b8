package projector_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// A shard that was paused while events were trimmed which it had not applied stops at the mark, by name; who resumes it goes on without them. One that had
// read them goes on, whether it reads on all the time or comes back.
func TestATrimThatTookTooMuchStopsTheShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		runner, o := r.operated(t)
		r.note(0, "a:1")
		r.note(0, "a:2")
		synctest.Wait()
		r.journal.Trim(r.source(0), 2) // 1 is applied long since
		r.note(0, "a:3")
		wantState(t, runner, 0, projector.Live, "")
		okay(t, o.Pause(t.Context(), texts))
		r.journal.Trim(r.source(0), 4) // and 2
		okay(t, o.Resume(t.Context(), texts))
		wantState(t, runner, 0, projector.Live, "")
		r.wantRows(0, "a:1 2 3")

		okay(t, o.Pause(t.Context(), texts))
		wantState(t, runner, 0, projector.Paused, "") // and nothing is on its way
		last := r.note(0, "a:4")
		r.journal.Trim(r.source(0), last.Offset+1)
		r.note(0, "a:5")
		okay(t, o.Resume(t.Context(), texts))
		s := wantState(t, runner, 0, projector.Stopped, projector.ReasonTrimmed)
		if s.At == "" {
			t.Error("it does not say where the mark is")
		}
		r.wantRows(0, "a:1 2 3")
		wantCode(t, o.Skip(t.Context(), "texts", 0), muster.FailedPrecondition)
		okay(t, o.Resume(t.Context(), texts))
		pass(time.Second)
		wantState(t, runner, 0, projector.Live, "")
		r.wantRows(0, "a:1 2 3 5")
	})
}

// What begins in a journal that was trimmed lacks events, and says so unless it was told not to.
func TestWhatBeginsInATrimmedJournalStops(t *testing.T) {
	for name, c := range map[string]struct {
		opts   []projector.Option
		state  projector.State
		reason string
	}{
		"by default":  {nil, projector.Stopped, projector.ReasonTrimmed},
		"ignored":     {[]projector.Option{projector.OnTrimmed(projector.Ignore)}, projector.Live, ""},
		"from now on": {[]projector.Option{projector.FromLatest()}, projector.Live, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, 1, c.opts...)
				r.note(0, "a:1")
				r.note(0, "a:2")
				r.journal.Trim(r.source(0), 2)
				runner, _ := r.start()
				wantState(t, runner, 0, c.state, c.reason)
			})
		})
	}
	r := newRig(t, 1, projector.OnTrimmed(projector.Park))
	if err := r.p.Definition().Validate(""); err == nil {
		t.Error("Park is no answer to a trim")
	}
}
