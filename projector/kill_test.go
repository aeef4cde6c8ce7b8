package projector_test

import (
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-3eec0498/muster/mustertest"
	"github.com/seed-3eec0498/muster/projector"
)

// A process is killed at every single step at the target, and another one goes on: what is there in the end is what a run from zero makes.
func TestKilledAtEveryStep(t *testing.T) {
	steps := 0
	killed := func(t *testing.T, at int) (rows map[string]string, left []projector.Letter) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, 1, projector.BatchEvents(3), projector.OnFailure(projector.Policy{Tries: 2, First: time.Millisecond}), projector.OnBadRecord(projector.Skip))
			r.journal.DeliverAtMost(4)
			r.fails("3", always(errBroken))
			r.fails("11", always(errBroken))
			r.note(0, "a:1", "b:2")
			r.note(0, "a:3", "b:4", "a:5")
			r.journal.Bad(r.source(0))
			r.note(0, "b:6", "b:7", "b:8", "b:9", "b:10")
			r.journal.Markers(r.source(0), 3)
			r.note(0, "c:11", "c:12")
			r.note(0, "a:13", "d:14")

			doomed := mustertest.NewMemoryTarget()
			doomed.Intercept(func(string, projector.Shard) error {
				if steps++; steps == at {
					doomed.Kill()
				}
				return nil
			})
			r.target = doomed.Beside()
			steps = 0
			first, stop := r.start(func(c *projector.Config) { c.Target = doomed })
			pass(5 * time.Second)
			o := r.operator(map[string]*projector.Runner{"one": first})
			r.fails("11", nil)
			go func() { _ = o.RetryAll(t.Context(), texts) }() // the process may be dead: then the next one does it
			pass(5 * time.Second)
			stop()
			if at == 0 {
				rows, left = r.rows(0), r.target.Stored(r.shard(0)).Letters
				return
			}
			runner, _ := r.start()
			pass(5 * time.Second)
			if s := wantState(t, runner, 0, projector.Live, ""); s.Lag != 0 {
				t.Errorf("lag is %d", s.Lag)
			}
			rows, left = r.rows(0), r.target.Stored(r.shard(0)).Letters
		})
		return rows, left
	}
	want, left := killed(t, 0)
	letters := len(left)
	if len(want) != 4 || want["c"] != "11 12 " || letters != 4 || steps < 20 {
		t.Fatalf("without a kill there are rows %v and %d letters after %d steps", want, letters, steps)
	}
	for at := range steps {
		t.Run(fmt.Sprint("step ", at+1), func(t *testing.T) {
			got, left := killed(t, at+1)
			if !maps.Equal(got, want) || len(left) != letters {
				t.Errorf("rows are %v, want %v; %d letters, want %d", got, want, len(left), letters)
			}
		})
	}
}
