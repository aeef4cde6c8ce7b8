package projector_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/mustertest"
	"github.com/seed-3eec0498/muster/projector"
)

func (r *rig) member(name string) func(*projector.Config) {
	return func(c *projector.Config) {
		c.Instance, c.Membership, c.Target = name, r.members.Member(name, "http://"+name), r.target.Beside()
	}
}

func TestShardsMoveWithoutLossOrRepeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 4)
		r.members = mustertest.NewMemoryMembership(0, 1, 2, 3)
		want := map[int32]string{}
		round := 0
		write := func() {
			round++
			for p := range int32(4) {
				want[p] += fmt.Sprintf(" %d.%d", p, round)
				r.note(p, fmt.Sprintf("x:%d.%d", p, round))
			}
		}
		check := func() {
			t.Helper()
			synctest.Wait()
			for p, texts := range want {
				r.wantRows(p, "x:"+texts[1:])
			}
		}
		write()
		one, stopOne := r.start(r.member("one"))
		check()
		two, _ := r.start(r.member("two"))
		write()
		check()
		if a, b := len(one.Status()), len(two.Status()); a != 2 || b != 2 {
			t.Errorf("the instances hold %d and %d shards, want 2 and 2", a, b)
		}
		o := r.operator(map[string]*projector.Runner{"one": one, "two": two})
		all, err := o.Status(t.Context(), texts)
		okay(t, err)
		if len(all) != 4 {
			t.Errorf("status of %d shards, want 4: %+v", len(all), all)
		}
		okay(t, o.Pause(t.Context(), texts))
		okay(t, o.Resume(t.Context(), texts))
		var notHeld *projector.NotHeldError
		if err := one.Await(t.Context(), r.note(1, "y:1")); !errors.As(err, &notHeld) || !errors.Is(err, muster.ErrNotHeld) || muster.CodeOf(err) != muster.Unavailable {
			t.Errorf("waiting where the shard is not held gives %v", err)
		}
		r.journal.Recreate("none")
		stopOne()
		write()
		synctest.Wait()
		if n := len(two.Status()); n != 4 {
			t.Errorf("after the end of the other it holds %d shards", n)
		}
		if all, err = o.Status(t.Context(), texts); err != nil || len(all) != 4 || all[0].Instance != "two" {
			t.Errorf("status is %+v, %v", all, err)
		}
		for p := range int32(4) {
			for n := range round {
				if got := r.runs(fmt.Sprintf("%d.%d", p, n+1)); got != 1 {
					t.Errorf("event %d.%d ran %d times", p, n+1, got)
				}
			}
		}
	})
}

func TestAnInstanceTakenForDeadIsFenced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		r.members = mustertest.NewMemoryMembership(0)
		hang, hangs := make(chan struct{}), true
		r.fails("2", func(context.Context) error {
			r.mu.Lock()
			mine := hangs
			hangs = false
			r.mu.Unlock()
			if mine {
				<-hang
			}
			return nil
		})
		r.start(r.member("one"))
		r.note(0, "a:1", "a:2")
		synctest.Wait() // the first one hangs in the function
		two, _ := r.start(r.member("two"))
		r.members.Cut("one")
		synctest.Wait()
		wantState(t, two, 0, projector.Live, "")
		r.wantRows(0, "a:1 2")
		close(hang)
		pass(time.Minute)
		r.wantRows(0, "a:1 2")
		r.note(0, "a:3")
		pass(time.Minute) // both claim it in turn, until the first one knows
		r.wantRows(0, "a:1 2 3")
	})
}

func TestLosingAShardIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 2)
		r.members = mustertest.NewMemoryMembership(0, 1)
		hang := make(chan struct{})
		defer close(hang)
		r.fails("2", func(context.Context) error {
			r.fails("2", nil)
			<-hang
			return nil
		})
		one, stop := r.start(r.member("one"))
		two, _ := r.start(r.member("two"))
		r.members.Move(0, "one")
		r.note(0, "a:1", "a:2")
		synctest.Wait()
		began := time.Now()
		r.members.Move(0, "two")
		pass(11 * time.Second)
		if s := status(t, two, 0); s.State != projector.Live {
			t.Fatalf("the other is %+v after %v", s, time.Since(began))
		}
		r.wantRows(0, "a:1 2")
		if len(one.Status()) != 0 && one.Status()[0].Shard == 0 {
			t.Errorf("the first one holds it still")
		}
		stop()
	})
}

func TestTheBatchInHandIsFinishedOnTheWayOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		r.fails("2", func(ctx context.Context) error {
			select {
			case <-time.After(3 * time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		r.note(0, "a:1", "a:2")
		_, stop := r.start()
		stop()
		r.wantRows(0, "a:1 2")
		if r.runs("2") != 1 {
			t.Errorf("it ran %d times", r.runs("2"))
		}

		r.fails("3", func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
		r.note(0, "a:3")
		_, stop = r.start()
		began := time.Now()
		stop()
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("it took %v", took)
		}
		r.wantRows(0, "a:1 2")
		if n := len(r.target.Stored(r.shard(0)).Letters); n != 0 {
			t.Errorf("the end of the process was charged to the event: %d letters", n)
		}
	})
}
