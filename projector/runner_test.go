package projector_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/mustertest"
	"github.com/seed-3eec0498/muster/projector"
)

func TestEventsAreAppliedInLogOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 2)
		r.note(0, "a:1", "b:1")
		r.note(1, "c:1")
		runner, stop := r.start()
		last := r.note(0, "a:2")
		if err := runner.Await(t.Context(), last); err != nil {
			t.Fatal(err)
		}
		r.wantRows(0, "a:1 2", "b:1")
		s := wantState(t, runner, 0, projector.Live, "")
		if s.Lag != 0 || s.LagTime != 0 || s.ETA != 0 || s.Applied != 3 {
			t.Errorf("status is %+v", s)
		}
		r.wantRows(1, "c:1")
		if err := runner.Ready(); err != nil {
			t.Error(err)
		}
		stop()
		r.note(0, "a:3")
		runner, _ = r.start()
		wantState(t, runner, 0, projector.Live, "")
		r.wantRows(0, "a:1 2 3", "b:1")
		if r.runs("1") != 3 || r.runs("3") != 1 {
			t.Errorf("functions ran again: %v", r.ran)
		}
	})
}

func TestWhatIsAwaitedIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		told, goOn := make(chan struct{}), make(chan struct{})
		runner, _ := r.operated(t, func(c *projector.Config) {
			c.Observe.Applied = func(b projector.Applied) {
				if b.Events > 0 {
					close(told)
					<-goOn
				}
			}
		})
		at := r.note(0, "a:1")
		var awaited atomic.Bool
		var waiting sync.WaitGroup
		waiting.Go(func() {
			if err := runner.Await(t.Context(), at); err != nil {
				t.Error(err)
			}
			awaited.Store(true)
		})
		<-told
		synctest.Wait()
		if awaited.Load() {
			t.Error("an event counts as applied for who waits before it was told to Observe")
		}
		close(goOn)
		waiting.Wait()
	})
}

func TestMarkersLeaveNoLagAndAreCommittedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		r.note(0, "a:1")
		runner, _ := r.start()
		wantState(t, runner, 0, projector.Live, "")
		r.journal.Markers(r.source(0), 10)
		if s := wantState(t, runner, 0, projector.Live, ""); s.Lag != 0 {
			t.Errorf("lag is %d", s.Lag)
		}
		pass(2 * time.Second)
		if got := r.target.Stored(r.shard(0)).Checkpoints[0].Next; got != 12 {
			t.Errorf("the checkpoint is at %d, want it behind the markers at 12", got)
		}
	})
}

func TestTornCommandsAreAppliedWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, projector.BatchEvents(2))
		r.journal.DeliverAtMost(2)
		r.target.Intercept(func(step string, shard projector.Shard) error {
			if step == "committed" {
				if n := len(r.target.Rows(shard)["a"]); n != 0 && n != len("1 2 3 4 5 ") {
					t.Errorf("a reader sees %q", r.target.Rows(shard)["a"])
				}
			}
			return nil
		})
		last := r.note(0, "a:1", "a:2", "a:3", "a:4", "a:5")
		runner, _ := r.start()
		if err := runner.Await(t.Context(), last); err != nil {
			t.Fatal(err)
		}
		r.wantRows(0, "a:1 2 3 4 5")
	})
}

// A replicated projection of two groups with different partition counts: one shard, and no command of any source is torn.
func TestTornCommandsOfManySources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 3, projector.BatchEvents(2), projector.Place(projector.Replicated))
		second := muster.NewGroup("others", muster.Partitions(1))
		event := muster.NewEvent[noted](second, "Second")
		projector.On(r.p, event, r.apply)
		r.journal.DeliverAtMost(2)
		torn := 0
		r.target.Intercept(func(step string, shard projector.Shard) error {
			if step == "committed" {
				for _, row := range r.target.Rows(shard) {
					if row != "1 2 3 " {
						torn++
					}
				}
			}
			return nil
		})
		for p := range int32(3) {
			r.note(p, fmt.Sprint("a", p, ":1"), fmt.Sprint("a", p, ":2"), fmt.Sprint("a", p, ":3"))
		}
		other := projector.Source{Topic: "others.events"}
		last := r.journal.Append(other, mustertest.NewEvent(event, "z", noted{"1"}), mustertest.NewEvent(event, "z", noted{"2"}), mustertest.NewEvent(event, "z", noted{"3"}))
		runner, _ := r.start()
		okay(t, runner.Await(t.Context(), last))
		wantState(t, runner, projector.Whole, projector.Live, "")
		r.wantRows(projector.Whole, "a0:1 2 3", "a1:1 2 3", "a2:1 2 3", "z:1 2 3")
		if torn > 0 {
			t.Errorf("readers saw %d torn commands", torn)
		}
	})
}

func TestACommandWhoseRestIsGoneIsAppliedInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		ev := mustertest.NewEvent(r.event, "a", noted{"1"})
		ev.Index, ev.Count = 0, 3
		r.journal.Append(r.source(0), ev)
		runner, _ := r.start()
		synctest.Wait()
		r.wantRows(0)
		pass(2 * time.Second)
		r.wantRows(0, "a:1")
		if s := wantState(t, runner, 0, projector.Live, ""); s.Lag != 0 {
			t.Errorf("lag is %d", s.Lag)
		}
	})
}

func TestAFailureParksItsKeyAndOthersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, projector.OnFailure(projector.Policy{Tries: 3, First: time.Second, Top: time.Second}))
		r.fails("2", always(errBroken))
		r.note(0, "a:1", "b:1")
		at := r.note(0, "a:2")
		r.note(0, "b:2", "a:3")
		runner, _ := r.start()
		s := wantState(t, runner, 0, projector.Retrying, projector.ReasonHandler)
		if s.At != at.String() || s.Error != errBroken.Error() {
			t.Errorf("it fails at %q with %q", s.At, s.Error)
		}
		r.wantRows(0, "a:1", "b:1")
		r.fails("2", always(errBroken))
		pass(10 * time.Second)
		s = wantState(t, runner, 0, projector.Live, "")
		r.wantRows(0, "a:1", "b:1")
		if s.Parked != 2 || r.runs("2") < 3 {
			t.Errorf("status is %+v after %d runs", s, r.runs("2"))
		}
		letters := r.target.Stored(r.shard(0)).Letters
		if len(letters) != 3 || letters[0].ID != at.String() || letters[0].Kind != projector.Parked || letters[0].Attempts != 3 || letters[0].Cause != errBroken.Error() ||
			letters[2].Kind != projector.Waiting || letters[2].Key != "notes/a" {
			t.Errorf("letters are %+v", letters)
		}
		if err := runner.Await(t.Context(), at); muster.CodeOf(err) != muster.FailedPrecondition {
			t.Errorf("waiting for the parked event gives %v", err)
		}
	})
}

func TestAStoppedShardLetsOthersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 2, projector.OnFailure(projector.Policy{Tries: 1, Then: projector.Stop}))
		r.fails("2", func(context.Context) error { panic("boo") })
		r.note(0, "a:1")
		at := r.note(0, "a:2")
		runner, _ := r.start()
		s := wantState(t, runner, 0, projector.Stopped, projector.ReasonPanic)
		if s.At != at.String() || s.Lag == 0 {
			t.Errorf("status is %+v", s)
		}
		wantState(t, runner, 1, projector.Live, "")
		r.note(1, "c:1")
		synctest.Wait()
		r.wantRows(0, "a:1")
		r.wantRows(1, "c:1")
		if err := runner.Await(t.Context(), at); muster.CodeOf(err) != muster.Unavailable {
			t.Errorf("waiting gives %v", err)
		}
	})
}

func TestTheTargetIsWaitedFor(t *testing.T) {
	for _, step := range []string{"claim", "stored", "begin", "commit", "committed"} {
		t.Run(step, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, 1)
				r.target.Intercept(func(at string, _ projector.Shard) error {
					if at == step {
						return errors.New("the database is down")
					}
					return nil
				})
				pos := r.note(0, "a:1", "a:2")
				runner, _ := r.start()
				pass(10 * time.Minute)
				if step != "committed" { // then it comes forward all the same: the outcome is found out
					wantState(t, runner, 0, projector.Away, projector.ReasonStore)
				}
				if s := status(t, runner, 0); s.Parked != 0 {
					t.Errorf("status is %+v", s)
				}
				r.target.Intercept(nil)
				if err := runner.Await(t.Context(), pos); err != nil {
					t.Fatal(err)
				}
				r.wantRows(0, "a:1 2")
				wantState(t, runner, 0, projector.Live, "")
			})
		})
	}
}

func TestTheBrokersAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		runner, _ := r.start()
		wantState(t, runner, 0, projector.Live, "")
		r.journal.SetAway(errors.New("no broker answers"))
		pass(10 * time.Minute)
		wantState(t, runner, 0, projector.Away, projector.ReasonJournal)
		r.journal.SetAway(nil)
		if err := runner.Await(t.Context(), r.note(0, "a:1")); err != nil {
			t.Fatal(err)
		}
		r.wantRows(0, "a:1")
	})
}
