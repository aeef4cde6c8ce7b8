package projector_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/mustertest"
	"github.com/seed-3eec0498/muster/projector"
)

func TestOutcomes(t *testing.T) {
	type letters map[projector.Kind]int
	stop := projector.OnFailure(projector.Policy{Tries: 1, Then: projector.Stop})
	for name, c := range map[string]struct {
		opts    []projector.Option
		event   string // what happens at the middle event
		fn      func(ctx context.Context) error
		rows    string
		state   projector.State
		reason  string
		letters letters
	}{
		"park is the default":            {fn: always(errBroken), rows: "a:1", state: projector.Live, letters: letters{projector.Parked: 1, projector.Waiting: 1}},
		"skip leaves a letter":           {opts: []projector.Option{projector.OnFailure(projector.Policy{Then: projector.Skip})}, fn: always(errBroken), rows: "a:1 3", state: projector.Live, letters: letters{projector.Skipped: 1}},
		"stop":                           {opts: []projector.Option{stop}, fn: always(errBroken), rows: "a:1", state: projector.Stopped, reason: projector.ReasonHandler},
		"a panic is a failure":           {opts: []projector.Option{stop}, fn: func(context.Context) error { panic("boo") }, rows: "a:1", state: projector.Stopped, reason: projector.ReasonPanic},
		"the function says park":         {opts: []projector.Option{stop}, fn: always(projector.ToPark(errBroken)), rows: "a:1", state: projector.Live, letters: letters{projector.Parked: 1, projector.Waiting: 1}},
		"the function says skip":         {opts: []projector.Option{stop}, fn: always(projector.ToSkip(errBroken)), rows: "a:1 3", state: projector.Live, letters: letters{projector.Skipped: 1}},
		"the function says stop":         {fn: always(projector.ToStop(errBroken)), rows: "a:1", state: projector.Stopped, reason: projector.ReasonHandler},
		"the function says wait":         {fn: always(projector.ToWait(errBroken)), rows: "a:1", state: projector.Retrying, reason: projector.ReasonHandler},
		"undecodable is parked":          {event: "undecodable", rows: "a:1", state: projector.Live, letters: letters{projector.Parked: 1, projector.Waiting: 1}},
		"undecodable stops":              {opts: []projector.Option{projector.OnUndecodable(projector.Stop)}, event: "undecodable", rows: "a:1", state: projector.Stopped, reason: projector.ReasonUndecodable},
		"a bad record stops":             {event: "bad", rows: "a:1", state: projector.Stopped, reason: projector.ReasonBadRecord},
		"a bad record is skipped":        {opts: []projector.Option{projector.OnBadRecord(projector.Skip)}, event: "bad", rows: "a:1 3", state: projector.Live, letters: letters{projector.Skipped: 1}},
		"an unknown type is ignored":     {event: "unknown", rows: "a:1 3", state: projector.Live},
		"an unknown type is parked":      {opts: []projector.Option{projector.OnUnknown(projector.Park)}, event: "unknown", rows: "a:1", state: projector.Live, letters: letters{projector.Parked: 1, projector.Waiting: 1}},
		"an unknown type stops":          {opts: []projector.Option{projector.OnUnknown(projector.Stop)}, event: "unknown", rows: "a:1", state: projector.Stopped, reason: projector.ReasonUnknownType},
		"a known type without function":  {event: "other", rows: "a:1 3", state: projector.Live},
		"what the filter does not want":  {opts: []projector.Option{projector.Where(func(ev *muster.Event) bool { return !strings.Contains(string(ev.Payload), "2") })}, rows: "a:1 3", state: projector.Live},
		"a filter that panics":           {opts: []projector.Option{stop, projector.Where(func(ev *muster.Event) bool { return ev.Revision != 2 || ev.Index/(ev.Count-1) > 9 })}, rows: "a:1", state: projector.Stopped, reason: projector.ReasonPanic},
		"a key function that panics":     {opts: []projector.Option{projector.KeyBy(func(ev *muster.Event) string { return ev.AggregateID[(ev.Revision-1)%2*5:] })}, rows: "a:1 3", state: projector.Live, letters: letters{projector.Parked: 1}},
		"an error that is a typed nil":   {fn: func(context.Context) error { return (*nilError)(nil) }, rows: "a:1", state: projector.Live, letters: letters{projector.Parked: 1, projector.Waiting: 1}},
		"a cause that no text can be":    {fn: always(errors.New(strings.Repeat("\xff\x00", 9000))), rows: "a:1", state: projector.Live, letters: letters{projector.Parked: 1, projector.Waiting: 1}},
		"a fault of the store is no one": {fn: always(projector.AsStore(errBroken)), rows: "", state: projector.Away, reason: projector.ReasonStore},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, 1, c.opts...)
				r.note(0, "a:1")
				switch c.event {
				case "undecodable":
					ev := mustertest.NewEvent(r.event, "a", noted{"2"})
					ev.Payload = []byte("{")
					r.journal.Append(r.source(0), ev)
				case "bad":
					r.journal.Bad(r.source(0))
				case "unknown":
					ev := mustertest.NewEvent(r.event, "a", noted{"2"})
					ev.Type = "Never"
					r.journal.Append(r.source(0), ev)
				case "other":
					r.journal.Append(r.source(0), mustertest.NewEvent(r.other, "a", noted{"2"}))
				default:
					r.note(0, "a:2")
				}
				r.fails("2", c.fn)
				r.note(0, "a:3")
				runner, _ := r.start()
				pass(10 * time.Minute)
				if c.rows == "" {
					r.wantRows(0)
				} else {
					r.wantRows(0, c.rows)
				}
				s := wantState(t, runner, 0, c.state, c.reason)
				if len(s.Letters) != len(c.letters) {
					t.Fatalf("letters are %v, want %v", s.Letters, c.letters)
				}
				for kind, n := range c.letters {
					if s.Letters[kind] != n {
						t.Fatalf("letters are %v, want %v", s.Letters, c.letters)
					}
				}
			})
		})
	}
}

type nilError struct{ text string }

func (e *nilError) Error() string { return e.text }

func TestTriesAndPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, projector.OnFailure(projector.Policy{Tries: 4, First: time.Second, Top: 2 * time.Second}))
		var at []time.Time
		r.fails("1", func(context.Context) error {
			at = append(at, time.Now())
			return errBroken
		})
		r.note(0, "a:1")
		runner, _ := r.start()
		pass(time.Minute)
		wantState(t, runner, 0, projector.Live, "")
		if len(at) != 4 {
			t.Fatalf("it ran %d times, want 4", len(at))
		}
		for i, most := range []time.Duration{time.Second, 2 * time.Second, 2 * time.Second} {
			if pause := at[i+1].Sub(at[i]); pause < most/2 || pause > most {
				t.Errorf("pause %d is %v, want %v to %v", i, pause, most/2, most)
			}
		}
	})
}

func TestAFailureThatPassesLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		left := 3
		r.fails("2", func(context.Context) error {
			if left--; left > 0 {
				return errBroken
			}
			return nil
		})
		runner, _ := r.start()
		okay(t, runner.Await(t.Context(), r.note(0, "a:1", "b:2", "a:3")))
		r.wantRows(0, "a:1 3", "b:2")
		if s := wantState(t, runner, 0, projector.Live, ""); s.Error != "" || len(s.Letters) != 0 {
			t.Errorf("status is %+v", s)
		}
	})
}

func TestADeadlineEndsTheContextOfTheFunction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, projector.HandlerDeadline(time.Second), projector.OnFailure(once))
		r.fails("2", func(ctx context.Context) error {
			<-ctx.Done()
			return context.Cause(ctx)
		})
		r.note(0, "a:1", "a:2", "b:3")
		runner, _ := r.start()
		pass(3 * time.Second)
		r.wantRows(0, "a:1", "b:3")
		s := wantState(t, runner, 0, projector.Live, "")
		if l := r.target.Stored(r.shard(0)).Letters; s.Parked != 1 || l[0].Reason != projector.ReasonDeadline || !strings.Contains(l[0].Cause, context.DeadlineExceeded.Error()) {
			t.Errorf("letters are %+v", l)
		}
	})
}

func TestAFunctionThatNeverReturnsStopsItsShardOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 2, projector.HandlerDeadline(time.Second))
		hang := make(chan struct{})
		r.fails("2", func(context.Context) error {
			<-hang
			return nil
		})
		r.note(0, "a:1")
		at := r.note(0, "a:2", "a:3")
		abandoned := 0
		runner, o := r.operated(t, func(c *projector.Config) {
			c.Observe.Abandoned = func(projector.Abandoned) { abandoned++ }
		})
		pass(10 * time.Second)
		s := wantState(t, runner, 0, projector.Stopped, projector.ReasonDeadline)
		at.Offset--
		if s.At != at.String() || abandoned != 1 || !strings.Contains(r.logs.String(), "left behind") {
			t.Errorf("status is %+v; the log says\n%s", s, r.logs)
		}
		okay(t, runner.Await(t.Context(), r.note(1, "b:1")))
		close(hang) // it comes back late, and can commit nothing
		synctest.Wait()
		r.wantRows(0)
		okay(t, o.Skip(t.Context(), "texts", 0))
		wantState(t, runner, 0, projector.Live, "")
		r.wantRows(0, "a:1 3")
	})
}
