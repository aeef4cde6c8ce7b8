package projector_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// operator gives one that reads letters from the runners with their names.
func (r *rig) operator(runners map[string]*projector.Runner) *projector.Operator {
	r.t.Helper()
	o, err := projector.NewOperator(projector.OperatorConfig{
		Control: r.control, Definitions: []*projector.Definition{r.p.Definition()}, By: "somebody",
		Letters: func(ctx context.Context, instance string, q projector.LetterQuery) ([]projector.Letter, error) {
			return runners[instance].Letters(ctx, q)
		},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return o
}

func okay(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t *testing.T, err error, code muster.Code) {
	t.Helper()
	if muster.CodeOf(err) != code {
		t.Fatalf("got %v, want %v", err, code)
	}
}

var once = projector.Policy{Tries: 1}

func (r *rig) operated(t *testing.T, change ...func(*projector.Config)) (*projector.Runner, *projector.Operator) {
	t.Helper()
	runner, _ := r.start(change...)
	return runner, r.operator(map[string]*projector.Runner{"one": runner})
}

var texts = projector.Scope{Projection: "texts"}

func TestPauseSurvivesARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 2)
		runner, stop := r.start()
		o := r.operator(map[string]*projector.Runner{"one": runner})
		okay(t, o.Pause(t.Context(), projector.Scope{Projection: "texts@1", Shards: []int32{1}}))
		wantState(t, runner, 1, projector.Paused, "")
		wantState(t, runner, 0, projector.Live, "")
		stop()
		r.note(0, "a:1")
		pos := r.note(1, "b:1")
		runner, _ = r.start()
		wantState(t, runner, 1, projector.Paused, "")
		r.wantRows(0, "a:1")
		r.wantRows(1)
		wantCode(t, runner.Await(t.Context(), pos), muster.Unavailable)
		pass(15 * time.Second)
		if s := status(t, runner, 1); s.Lag != 2 || s.LagTime == 0 || s.ETA >= 0 {
			t.Errorf("a paused shard that is behind says %+v", s)
		}
		okay(t, o.Pause(t.Context(), texts))
		wantState(t, runner, 0, projector.Paused, "")
		wantCode(t, o.Resume(t.Context(), projector.Scope{Projection: "texts", Shards: []int32{1}}), muster.FailedPrecondition)
		okay(t, o.Resume(t.Context(), texts))
		wantState(t, runner, 1, projector.Live, "")
		wantState(t, runner, 0, projector.Live, "")
		r.wantRows(1, "b:1")
	})
}

// When an order is told to be carried out, the shard is seen at work already: whoever waits for it then would meet the old stop.
func TestAShardIsSeenAtWorkBeforeItsOrderIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, projector.OnFailure(projector.Policy{Tries: 1, Then: projector.Stop}))
		r.fails("bad", always(errBroken))
		r.note(0, "a:bad")
		var mu sync.Mutex
		var seen []projector.Status
		runner, _ := r.start(func(c *projector.Config) {
			c.Observe.Changed = func(s projector.Status) {
				mu.Lock()
				defer mu.Unlock()
				seen = append(seen, s)
			}
		})
		o := r.operator(map[string]*projector.Runner{"one": runner})
		wantState(t, runner, 0, projector.Stopped, projector.ReasonHandler)
		r.fails("bad", nil)
		for _, order := range []func() error{
			func() error { return o.Resume(t.Context(), texts) },
			func() error { return o.Pause(t.Context(), texts) },
			func() error { return o.Resume(t.Context(), texts) },
		} {
			before := status(t, runner, 0)
			mu.Lock()
			seen = nil
			mu.Unlock()
			okay(t, order())
			synctest.Wait()
			mu.Lock()
			if len(seen) == 0 || seen[0].State == before.State || seen[0].Acts != before.Acts {
				t.Errorf("after %s with orders up to %d done, others were told %+v", before.State, before.Acts, seen)
			}
			mu.Unlock()
		}
	})
}

func TestSkipPassesOverOneRecordAndNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, projector.OnFailure(projector.Policy{Tries: 1, Then: projector.Stop}))
		r.fails("bad", always(errBroken))
		r.fails("worse", always(errBroken))
		r.note(0, "a:1", "a:bad", "a:2", "a:worse", "a:3")
		runner, o := r.operated(t)
		wantState(t, runner, 0, projector.Stopped, projector.ReasonHandler)
		okay(t, o.Skip(t.Context(), "texts", 0))
		wantState(t, runner, 0, projector.Stopped, projector.ReasonHandler)
		r.wantRows(0, "a:1 2")
		okay(t, o.Resume(t.Context(), texts))
		wantState(t, runner, 0, projector.Stopped, projector.ReasonHandler)
		okay(t, o.Skip(t.Context(), "texts", 0))
		wantState(t, runner, 0, projector.Live, "")
		r.wantRows(0, "a:1 2 3")
		wantCode(t, o.Skip(t.Context(), "texts", 0), muster.FailedPrecondition)
		letters, err := o.Letters(t.Context(), projector.LetterQuery{Scope: texts})
		okay(t, err)
		if len(letters) != 2 || letters[0].Kind != projector.Skipped || letters[0].Reason != projector.ReasonSkipped {
			t.Fatalf("letters are %+v", letters)
		}
		r.fails("bad", nil)
		okay(t, o.RetryLetter(t.Context(), texts, letters[0].ID))
		okay(t, o.DropLetter(t.Context(), texts, letters[1].ID))
		r.wantRows(0, "a:1 2 3 bad")
		wantCode(t, o.DropLetter(t.Context(), texts, letters[1].ID), muster.NotFound)
	})
}

func TestAParkedKeyIsRetriedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 2, projector.OnFailure(once))
		r.fails("2", always(errBroken))
		r.fails("4", always(errBroken))
		r.note(1, "a:1", "b:1", "a:2", "a:3", "a:4", "b:5", "a:5")
		runner, o := r.operated(t)
		r.wantRows(1, "a:1", "b:1 5")
		okay(t, o.Retry(t.Context(), texts, "notes/a"))
		r.wantRows(1, "a:1", "b:1 5")
		r.fails("2", nil)
		okay(t, o.Retry(t.Context(), texts, "notes/a"))
		r.wantRows(1, "a:1 2 3", "b:1 5")
		letters, err := o.Letters(t.Context(), projector.LetterQuery{Scope: texts, Key: "notes/a"})
		okay(t, err)
		if len(letters) != 2 || letters[0].Kind != projector.Parked || letters[0].Attempts != 1 || letters[1].Kind != projector.Waiting {
			t.Fatalf("letters are %+v", letters)
		}
		r.note(1, "a:6")
		r.fails("4", nil)
		synctest.Wait()
		okay(t, o.RetryAll(t.Context(), texts))
		r.wantRows(1, "a:1 2 3 4 5 6", "b:1 5")
		if s := status(t, runner, 1); s.Parked != 0 || len(s.Letters) != 0 {
			t.Errorf("status is %+v", s)
		}
		wantCode(t, o.Retry(t.Context(), texts, "notes/a"), muster.NotFound)
		okay(t, runner.Await(t.Context(), r.note(1, "a:7")))
		r.wantRows(1, "a:1 2 3 4 5 6 7", "b:1 5")
	})
}

func TestDropLetsTheKeyGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, projector.OnFailure(once))
		r.fails("2", always(errBroken))
		r.note(0, "a:2", "a:3", "b:2", "b:3", "b:4")
		runner, o := r.operated(t)
		okay(t, o.Drop(t.Context(), texts, "notes/a"))
		if err := runner.Await(t.Context(), r.note(0, "a:5")); err != nil {
			t.Fatal(err)
		}
		letters, err := o.Letters(t.Context(), projector.LetterQuery{Scope: texts, Kind: projector.Parked})
		okay(t, err)
		if len(letters) != 1 {
			t.Fatalf("letters are %+v", letters)
		}
		okay(t, o.DropLetter(t.Context(), texts, letters[0].ID))
		synctest.Wait() // the letter is gone; what waited behind it runs after that
		r.wantRows(0, "a:5", "b:3 4")
	})
}

func TestRestartAppliesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, projector.OnFailure(once))
		r.fails("bad", always(errBroken))
		r.note(0, "a:1")
		at := r.note(0, "a:2", "b:bad", "a:3")
		runner, o := r.operated(t)
		r.wantRows(0, "a:1 2 3")
		r.fails("bad", nil)
		at.Offset -= 2
		okay(t, o.Restart(t.Context(), texts, at))
		wantState(t, runner, 0, projector.Live, "")
		r.wantRows(0, "a:1 2 3 2 3", "b:bad")
		okay(t, o.Restart(t.Context(), texts))
		wantState(t, runner, 0, projector.Live, "")
		r.wantRows(0, "a:1 2 3 2 3 1 2 3", "b:bad bad")
		at.Topic = "elsewhere.events"
		wantCode(t, o.Restart(t.Context(), texts, at), muster.InvalidArgument)
	})
}

func TestWhatDoesNotExistIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		_, o := r.operated(t)
		before, _ := r.control.Entries()
		wantCode(t, o.Pause(t.Context(), projector.Scope{Projection: "text"}), muster.NotFound)
		wantCode(t, o.Pause(t.Context(), projector.Scope{Projection: "texts@2"}), muster.NotFound)
		wantCode(t, o.Resume(t.Context(), projector.Scope{Projection: "texts", Shards: []int32{1}}), muster.InvalidArgument)
		wantCode(t, o.Skip(t.Context(), "texts", 0), muster.FailedPrecondition)
		wantCode(t, o.Retry(t.Context(), texts, "nobody"), muster.NotFound)
		wantCode(t, o.Drop(t.Context(), texts, ""), muster.InvalidArgument)
		after, _ := r.control.Entries()
		if len(before) != len(after) {
			t.Errorf("something was written: %v", after)
		}
	})
}

func TestAnOrderThatCannotBeCarriedOutNowStands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, projector.OnFailure(once))
		r.fails("1", always(errBroken))
		r.note(0, "a:1")
		runner, o := r.operated(t)
		r.fails("1", nil)
		r.target.Intercept(func(string, projector.Shard) error { return errors.New("down") })
		ctx, end := context.WithTimeout(t.Context(), time.Minute)
		defer end()
		err := o.RetryAll(ctx, texts)
		wantCode(t, err, muster.DeadlineExceeded)
		if !strings.Contains(err.Error(), "shard 0 on one, which is away") {
			t.Errorf("it says %v", err)
		}
		r.target.Intercept(nil)
		pass(time.Minute)
		wantState(t, runner, 0, projector.Live, "")
		r.wantRows(0, "a:1")
		if strings.Contains(r.logs.String(), errBroken.Error()) || strings.Contains(r.logs.String(), "notes/a") {
			t.Errorf("the log tells keys or the text of a function's error:\n%s", r.logs)
		}
	})
}

// Whoever gives an order hears that it is done when it is, and not with the next report.
func TestAnOrderIsReportedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 2)
		_, o := r.operated(t)
		pass(3 * time.Second)
		began := time.Now()
		okay(t, o.RetryAll(t.Context(), texts))
		okay(t, o.Resume(t.Context(), texts))
		if took := time.Since(began); took > 0 {
			t.Errorf("two orders took %v of a clock that stands still while there is something to do", took)
		}
	})
}
