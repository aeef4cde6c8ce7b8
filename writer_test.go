package muster_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
)

// A handler that is given up writes nothing any more, and is told so; the rest of its unit is decided meanwhile.
func TestWriterOfAHandlerThatWasGivenUp(t *testing.T) {
	o := newOffice()
	running, release, late := make(chan struct{}), make(chan struct{}), make(chan []error, 1)
	var steps []*muster.Step
	w := newWorld(t, muster.HandleCommand(o.Register, func(_ context.Context, _ *muster.Command, in order, w muster.Writer) (account, error) {
		if err := errors.Join(o.Created.Write(w, moved{}), o.Send.Write(w, "box", order{}), w.Progress(1)); err != nil {
			t.Error(err)
		}
		if in.Text == "hang" {
			close(running)
			<-release
			late <- []error{o.Created.Write(w, moved{}), o.Send.Write(w, "box", order{}), w.Progress(2), w.Reply(account{}), w.ErrorEvent("Failed", moved{}, nil)}
		}
		return account{}, nil
	}).Behaviour())
	w.config.Steps = func(_ muster.ReplyTo, _ *muster.Meta, s *muster.Step) error { steps = append(steps, s); return nil }
	w.restart()
	hangs, next := command("register", "u-1", "c1", order{Text: "hang"}), command("register", "u-1", "c2", order{})
	hangs.WantsProgress = true
	round, unit, _ := w.begin(hangs, next)
	ended := make(chan struct{})
	go func() { defer close(ended); unit.Run(t.Context()) }()
	<-running
	if !unit.GiveUp(unit.Turn()) {
		t.Fatal("a hanging handler cannot be given up")
	}
	unit.Run(t.Context())
	f := w.commit(round, round.Decision())
	close(release)
	<-ended
	for i, err := range <-late {
		if !errors.Is(err, muster.ErrWriterClosed) {
			t.Errorf("late write %d: %v", i, err)
		}
	}
	if len(steps) != 1 || steps[0].Number != 1 {
		t.Errorf("steps %+v", steps)
	}
	d := f.decision
	if len(d.Events) != 1 || d.Events[0].CausationID != "c2" || d.Events[0].Revision != 1 || len(d.Commands) != 1 || d.Commands[0].Command.CausationID != "c2" {
		t.Errorf("decision %+v", d)
	}
	if len(d.Dead) != 1 || d.Dead[0].Cause.Reason != muster.ReasonOverrun {
		t.Errorf("dead letters %+v", d.Dead)
	}
}

// A goroutine that a handler leaves behind cannot write once the handler has returned, and one that it waits for may write beside it.
func TestWriterAmongGoroutines(t *testing.T) {
	o := newOffice()
	var kept muster.Writer
	w := o.handled(t, func(_ context.Context, _ *muster.Command, _ order, w muster.Writer) (account, error) {
		kept = w
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if err := errors.Join(o.Created.Write(w, moved{}), o.Send.Write(w, "box", order{}), w.Progress(1)); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		return account{}, nil
	})
	f := w.do(command("register", "u-1", "c1", order{}))
	if len(f.decision.Events) != 8 || len(f.decision.Commands) != 8 || f.decision.Events[7].Revision != 8 {
		t.Errorf("%d events, %d commands", len(f.decision.Events), len(f.decision.Commands))
	}
	if err := o.Created.Write(kept, moved{}); !errors.Is(err, muster.ErrWriterClosed) {
		t.Errorf("a write after the return: %v", err)
	}
}

// Progress is numbered, marked with its attempt, bounded, and goes only to callers that want it. Trouble with it does not refuse the command.
func TestProgressOfAHandler(t *testing.T) {
	o := newOffice()
	type sent struct {
		to   muster.ReplyTo
		step muster.Step
	}
	var all []sent
	full := false
	w := newWorld(t, o.Group.HandleFunc("register", func(_ context.Context, _ *muster.Command, w muster.Writer) error {
		if err := errors.Join(w.Progress(10), w.Progress("twenty")); err != nil && !full {
			t.Error(err)
		}
		if err := w.Progress(func() {}); muster.ReasonOf(err) != muster.ReasonProgress {
			t.Errorf("a step that cannot be encoded: %v", err)
		}
		if err := w.Progress(strings.Repeat("x", muster.MaxStepBytes)); muster.ReasonOf(err) != muster.ReasonProgress {
			t.Errorf("a step that is too large: %v", err)
		}
		for range muster.MaxSteps - 2 {
			_ = w.Progress(1)
		}
		if err := w.Progress(1); muster.ReasonOf(err) != muster.ReasonProgress {
			t.Errorf("one step too many: %v", err)
		}
		return nil
	}).Behaviour())
	w.config.Steps = func(to muster.ReplyTo, cause *muster.Meta, s *muster.Step) error {
		if cause.ID != "c1" {
			t.Errorf("cause %+v", cause)
		}
		if full {
			return errors.New("no room")
		}
		all = append(all, sent{to, *s})
		return nil
	}
	w.restart()
	wants := command("register", "u-1", "c1", order{})
	wants.WantsProgress = true
	batch := w.batch(wants)
	round, _ := w.decide(batch, nil)
	round.Abort()
	batch.Attempt++
	full = true // nothing arrives, and the command is done all the same
	round, d := w.decide(batch, nil)
	if got := w.commit(round, d).outcome(t, "c1", 0); got.Code != muster.OK {
		t.Errorf("outcome %+v", got)
	}
	if len(all) != muster.MaxSteps || all[0].to != wants.ReplyTo || all[0].step.CommandID != "c1" || all[0].step.Attempt != 1 {
		t.Fatalf("%d steps, the first %+v", len(all), all[0])
	}
	for i, one := range all {
		if one.step.Number != i+1 {
			t.Fatalf("step %d has number %d", i, one.step.Number)
		}
	}
	if text, err := muster.StepOf[string](&all[1].step); text != "twenty" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := muster.StepOf[int](&all[1].step); err == nil {
		t.Error("a text was read as a number")
	}
}

// The handler's context has the deadline that the owner gives it; a handler that heeds its end has no effect, and the command may come again.
func TestHandlerThatHeedsItsDeadline(t *testing.T) {
	o, slow := newOffice(), true
	w := o.handled(t, func(ctx context.Context, _ *muster.Command, _ order, w muster.Writer) (account, error) {
		if err := o.Created.Write(w, moved{}); err != nil {
			t.Error(err)
		}
		if slow {
			<-ctx.Done()
			return account{}, ctx.Err()
		}
		return account{Balance: 1}, nil
	})
	w.config.Bound = func(ctx context.Context, cmd *muster.Command) (context.Context, context.CancelFunc) {
		return context.WithTimeout(ctx, min(time.Minute, cmd.Deadline.Sub(w.now)))
	}
	w.restart()
	late := command("register", "u-1", "c1", order{})
	late.Deadline = w.now.Add(time.Millisecond)
	f := w.do(late)
	if got := f.outcome(t, "c1", 0); got.Reason != muster.ReasonOverrun || len(f.decision.Events) != 0 || len(f.decision.Dead) != 1 {
		t.Errorf("outcome %+v, decision %+v", got, f.decision)
	}
	slow, late.Deadline = false, w.now.Add(time.Minute)
	if got := decoded(t, w.do(late).outcome(t, "c1", 0)); got.Balance != 1 {
		t.Errorf("the repeat got %+v", got)
	}
}

// Several culprits of one commit are refused together, each by its own.
func TestCommandsToNowhere(t *testing.T) {
	o := newOffice()
	w := o.handled(t, func(_ context.Context, _ *muster.Command, in order, w muster.Writer) (account, error) {
		return account{}, o.Send.Write(w, in.Text, order{})
	})
	batch := w.batch(command("register", "u-1", "c1", order{Text: "a"}), command("register", "u-2", "c2", order{Text: "b"}), command("register", "u-3", "c3", order{Text: "c"}))
	round, _ := w.decide(batch, nil)
	round.Abort()
	var faults []error
	for _, id := range []string{"c1", "c3"} {
		faults = append(faults, &muster.RecordFault{CommandID: id, Target: "mail", Cause: errors.New("no such topic")})
	}
	culprits := map[string]*muster.RecordFault{}
	for _, f := range muster.RecordFaults(errors.Join(muster.ErrAborted, errors.Join(faults...))) {
		culprits[f.CommandID] = f
	}
	round, d := w.decide(batch, culprits)
	f := w.commit(round, d)
	if len(d.Commands) != 1 || d.Commands[0].Command.CausationID != "c2" || len(d.Dead) != 2 {
		t.Errorf("decision %+v", d)
	}
	for _, id := range []string{"c1", "c3"} {
		if got := f.outcome(t, id, 0); got.Code != muster.FailedPrecondition || got.Reason != muster.ReasonNoTarget || !strings.Contains(got.Message, "mail") {
			t.Errorf("%s: %+v", id, got)
		}
	}
	if !slices.Equal([]string{"u-2"}, func() (ids []string) {
		for _, c := range f.changes {
			for _, a := range c.Answers {
				ids = append(ids, strings.Replace(a.CommandID, "c", "u-", 1))
			}
		}
		return ids
	}()) {
		t.Errorf("a refused command is remembered: %+v", f.changes)
	}
}
