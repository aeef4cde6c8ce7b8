package projector_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

func TestSoMuchLiesAsideThatTheShardStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, projector.OnFailure(once))
		r.fails("1", always(errBroken))
		r.note(0, "a:1")
		r.note(0, "a:2", "a:3", "a:4", "a:5")
		runner, o := r.operated(t, func(c *projector.Config) { c.MaxLetters = 3 })
		wantState(t, runner, 0, projector.Stopped, projector.ReasonLetters)
		if n := len(r.target.Stored(r.shard(0)).Letters); n > 3 {
			t.Errorf("%d letters", n)
		}
		r.fails("1", nil)
		okay(t, o.RetryAll(t.Context(), texts))
		okay(t, o.Resume(t.Context(), texts))
		wantState(t, runner, 0, projector.Live, "")
		r.wantRows(0, "a:1 2 3 4 5")
	})
}

func TestOldActsAreForgotten(t *testing.T) {
	if testing.Short() {
		t.Skip("eight days in virtual time take many steps")
	}
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		runner, o := r.operated(t)
		okay(t, o.Restart(t.Context(), texts))
		acts := func() (n int) {
			entries, _ := r.control.Entries()
			for key := range entries {
				if strings.HasPrefix(key, "act/") {
					n++
				}
			}
			return n
		}
		if acts() != 1 {
			t.Fatalf("%d acts", acts())
		}
		pass(8 * 24 * time.Hour)
		if acts() != 0 {
			t.Errorf("%d acts after 8 days", acts())
		}
		wantState(t, runner, 0, projector.Live, "")
	})
}

// An instance that was killed has said that it holds shards, and never takes it back.
func TestTheDeadAreNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		_, stop := r.start(func(c *projector.Config) { c.Instance = "dead" })
		pass(time.Second)
		entries, _ := r.control.Entries()
		stop()
		spoke := false
		for key, said := range entries {
			if strings.HasPrefix(key, "status/") {
				_, err := r.control.Put(t.Context(), key, said.Value)
				okay(t, err)
				spoke = true
			}
		}
		if !spoke {
			t.Fatal("it has said nothing")
		}
		o := r.operator(nil)
		began := time.Now()
		okay(t, o.Pause(t.Context(), texts))
		if took := time.Since(began); took < 20*time.Second || took > time.Minute {
			t.Errorf("it waited %v", took)
		}
		all, err := o.Status(t.Context(), texts)
		if okay(t, err); len(all) != 0 {
			t.Errorf("status is %+v", all)
		}
	})
}

func TestConfigReportsAllFaults(t *testing.T) {
	_, err := projector.Open(projector.Config{MaxLetters: -1, Generation: -1, Grace: -1})
	for _, want := range []string{"Definition", "Target", "Journal", "MaxLetters", "Generation", "Grace"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %v", want, err)
		}
	}
	if _, err := projector.NewOperator(projector.OperatorConfig{}); err == nil {
		t.Error("an operator without a control table")
	}
}

func TestLettersOfAShardThatIsElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		runner, stop := r.start()
		stop()
		_, err := runner.Letters(t.Context(), projector.LetterQuery{Scope: projector.Scope{Shards: []int32{0}}})
		wantCode(t, err, muster.Unavailable)
	})
}
