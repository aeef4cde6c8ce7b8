package muster_test

import (
	"context"
	"runtime"
	"sync"
	"testing"

	"github.com/seed-3eec0498/muster"
)

// hanging makes a world whose command "hooked" emits, tells that it runs and waits to be released; with text "polite" it also ends when
// its context does.
func hanging(t *testing.T) (w *world, running, release chan struct{}) {
	running, release = make(chan struct{}, 100), make(chan struct{})
	w = newHooked(t, func(ctx context.Context, b *bank, root *muster.Root[account], in order) (account, error) {
		b.Credited.Emit(root, moved{Amount: 1000})
		running <- struct{}{}
		if in.Text == "polite" {
			<-ctx.Done()
			return account{}, ctx.Err()
		}
		<-release
		b.Credited.Emit(root, moved{Amount: 1000})
		return root.State(), nil
	})
	return w, running, release
}

// begin gives the only unit of a batch on one aggregate.
func (w *world) begin(commands ...muster.Command) (*muster.Round, *muster.Unit, *muster.Batch) {
	w.t.Helper()
	batch := w.batch(commands...)
	round, err := w.p.Begin(batch, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	units := round.Slice(len(commands))
	if len(units) != 1 {
		w.t.Fatalf("%d units, want 1", len(units))
	}
	return round, units[0], batch
}

// A handler that hangs is given up: its command is refused and becomes a dead letter, what it emitted is gone, the rest is decided while
// it still hangs, and its late return changes nothing.
func TestGiveUpOfAHangingHandler(t *testing.T) {
	w, running, release := hanging(t)
	round, unit, _ := w.begin(
		command("deposit", "acc-1", "c1", order{Amount: 1}), command("hooked", "acc-1", "c2", order{}),
		command("deposit", "acc-1", "c3", order{Amount: 2}), command("balance", "acc-1", "q1", order{}))
	if unit.GiveUp(unit.Turn()) {
		t.Fatal("gave up a handler that does not run")
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		unit.Run(t.Context())
	}()
	<-running
	turn := unit.Turn()
	if turn%2 != 1 {
		t.Fatalf("turn %d while a handler runs; it must be odd", turn)
	}
	if unit.GiveUp(turn - 2) {
		t.Fatal("gave up at a turn that is over")
	}
	if !unit.GiveUp(turn) {
		t.Fatal("a hanging handler cannot be given up")
	}
	if unit.GiveUp(turn) {
		t.Fatal("gave up twice")
	}
	unit.Run(t.Context()) // the rest, while the handler still hangs
	f := w.commit(round, round.Decision())
	close(release)
	<-ended

	o := f.outcome(t, "c2", 0)
	if o.Code != muster.DeadlineExceeded || o.Reason != muster.ReasonOverrun {
		t.Errorf("the given up command: %s %s %q", o.Code, o.Reason, o.Message)
	}
	if len(f.decision.Dead) != 1 || f.decision.Dead[0].Command.ID != "c2" || f.decision.Dead[0].Cause.Reason != muster.ReasonOverrun {
		t.Errorf("dead letters: %+v", f.decision.Dead)
	}
	if got := decoded(t, f.outcome(t, "q1", 0)); got.Balance != 3 || got.Entries != 3 {
		t.Errorf("the query after it saw %+v", got)
	}
	if state, revision := w.state("acc-1"); state.Balance != 3 || revision != 3 || len(f.decision.Events) != 2 {
		t.Errorf("state %+v at revision %d, %d events", state, revision, len(f.decision.Events))
	}
	if got := decoded(t, w.do(command("deposit", "acc-1", "c4", order{Amount: 1})).outcome(t, "c4", 0)); got.Balance != 4 {
		t.Errorf("the late return changed the state: %+v", got)
	}
}

// The last command of a unit is given up: what was accepted before it is stored all the same, in later slices too.
func TestGiveUpOfTheLastCommand(t *testing.T) {
	for name, slice := range map[string]int{"one slice": 2, "two slices": 1} {
		t.Run(name, func(t *testing.T) {
			w, running, release := hanging(t)
			batch := w.batch(command("deposit", "acc-1", "c1", order{Amount: 1}), command("hooked", "acc-1", "c2", order{}))
			round, err := w.p.Begin(batch, nil)
			if err != nil {
				t.Fatal(err)
			}
			var all sync.WaitGroup
			for units := round.Slice(slice); len(units) > 0; units = round.Slice(slice) {
				ended := make(chan struct{})
				all.Go(func() {
					defer close(ended)
					units[0].Run(t.Context())
				})
				select {
				case <-ended:
				case <-running:
					if !units[0].GiveUp(units[0].Turn()) {
						t.Fatal("cannot be given up")
					}
					units[0].Run(t.Context())
				}
			}
			w.commit(round, round.Decision())
			close(release)
			all.Wait()
			if state, revision := w.state("acc-1"); state.Balance != 1 || revision != 2 {
				t.Errorf("stored: %+v at revision %d", state, revision)
			}
		})
	}
}

// A handler that obeys its context is refused for the same reason as one that is given up.
func TestHandlerThatObeysItsDeadline(t *testing.T) {
	w, running, _ := hanging(t)
	round, unit, _ := w.begin(command("hooked", "acc-1", "c1", order{Text: "polite"}))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-running
		cancel()
	}()
	unit.Run(ctx)
	f := w.commit(round, round.Decision())
	if o := f.outcome(t, "c1", 0); o.Code != muster.DeadlineExceeded || o.Reason != muster.ReasonOverrun || len(f.decision.Events) != 0 || len(f.decision.Dead) != 1 {
		t.Errorf("got %s %s, %+v", o.Code, o.Reason, f.decision)
	}
}

// GiveUp races with the return of the handler: one of them wins, the command has one outcome, and the other commands have theirs.
func TestGiveUpRacesWithTheReturn(t *testing.T) {
	won := map[bool]int{}
	for n := range 500 {
		w, running, release := hanging(t)
		round, unit, _ := w.begin(command("hooked", "acc-1", "c1", order{}), command("deposit", "acc-1", "c2", order{Amount: 1}))
		var all sync.WaitGroup
		all.Go(func() { unit.Run(t.Context()) })
		<-running
		turn := unit.Turn()
		all.Go(func() { close(release) })
		for range n % 8 {
			runtime.Gosched() // the handler's goroutine gets ahead, more in some runs than in others
		}
		gaveUp := unit.GiveUp(turn)
		if gaveUp {
			all.Go(func() { unit.Run(t.Context()) })
		}
		all.Wait()
		won[gaveUp]++
		f := w.commit(round, round.Decision())
		state, revision := w.state("acc-1")
		o := f.outcome(t, "c1", 0)
		if second := f.outcome(t, "c2", 0); second.Code != muster.OK || second.Revision != revision {
			t.Fatalf("the command after it: %+v", second)
		}
		if gaveUp && (o.Reason != muster.ReasonOverrun || state.Balance != 1 || revision != 2) ||
			!gaveUp && (o.Code != muster.OK || state.Balance != 2001 || revision != 4) {
			t.Fatalf("gave up %v, but got %s %s, state %+v at revision %d", gaveUp, o.Code, o.Reason, state, revision)
		}
	}
	t.Logf("given up, by how the race ended: %v", won)
}

// A handler that was given up may read the meta of its command for as long as it hangs, also while its batch is decided again.
func TestGivenUpHandlerSharesNothing(t *testing.T) {
	running, release, read := make(chan struct{}, 1), make(chan struct{}), make(chan muster.Meta, 1)
	first := true
	w := newHooked(t, func(ctx context.Context, _ *bank, root *muster.Root[account], _ order) (account, error) {
		if !first {
			return root.State(), nil
		}
		first = false
		running <- struct{}{}
		<-release
		m, _ := muster.MetaFrom(ctx)
		m.Revision = root.Meta().Revision + root.Revision()
		_ = root.State()
		read <- m
		return account{}, nil
	})
	round, unit, batch := w.begin(command("hooked", "acc-1", "c1", order{}))
	var all sync.WaitGroup
	all.Go(func() { unit.Run(t.Context()) })
	<-running
	if !unit.GiveUp(unit.Turn()) {
		t.Fatal("cannot be given up")
	}
	unit.Run(t.Context())
	round.Decision()
	round.Abort()
	close(release) // from here on the old handler and the new attempt run side by side
	batch.Attempt = 2
	round, _ = w.decide(batch, nil)
	f := w.commit(round, round.Decision())
	if o := f.outcome(t, "c1", 0); o.Code != muster.OK {
		t.Errorf("decided again: %s %s", o.Code, o.Message)
	}
	if m := <-read; m.ID != "c1" || m.Attempt != 1 {
		t.Errorf("the old handler saw %+v", m)
	}
	all.Wait()
}

// The unit of a given up command has to be decided again, because of a state that cannot be encoded: the handler hangs again and is given
// up again, and only these two commands are refused.
func TestGiveUpWhileTheCulpritIsLookedFor(t *testing.T) {
	w, running, release := hanging(t)
	round, unit, _ := w.begin(
		command("deposit", "acc-1", "c1", order{Amount: 1}), command("hooked", "acc-1", "c2", order{}),
		command("spoil", "acc-1", "c3", order{}), command("deposit", "acc-1", "c1", order{Amount: 1}))
	var all sync.WaitGroup
	ended := make(chan struct{})
	run := func() {
		if unit.Run(t.Context()) {
			close(ended)
		}
	}
	all.Go(run)
	given := 0
	within(t, "a unit with a hanging handler and a culprit", func() {
		for {
			select {
			case <-running:
				if !unit.GiveUp(unit.Turn()) {
					t.Error("cannot be given up")
				}
				given++
				all.Go(run)
			case <-ended:
				return
			}
		}
	})
	close(release)
	all.Wait()
	if err := round.Err(); err != nil {
		t.Fatal(err)
	}
	f := w.commit(round, round.Decision())
	if o := f.outcome(t, "c2", 0); o.Reason != muster.ReasonOverrun || given != 2 {
		t.Errorf("given up %d times: %s", given, o.Reason)
	}
	if o := f.outcome(t, "c3", 0); o.Reason != muster.ReasonBadResult {
		t.Errorf("the culprit: %+v", o)
	}
	if o := f.outcome(t, "c1", 1); !o.Repeated || o.Revision != 2 || len(f.decision.Dead) != 2 {
		t.Errorf("the repeat: %+v, %d dead letters", o, len(f.decision.Dead))
	}
	if state, revision := w.state("acc-1"); state.Balance != 1 || revision != 2 {
		t.Errorf("stored: %+v at revision %d", state, revision)
	}
}
