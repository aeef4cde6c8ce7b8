package muster_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-3eec0498/muster"
)

func step(id string, number int) *muster.Step {
	return &muster.Step{CommandID: id, Attempt: 1, Number: number, ContentType: muster.ContentJSON, Payload: []byte(strconv.Itoa(10 * number))}
}

// The steps come in order, before the outcome, to every call that wants them and to no other.
func TestCallWithProgress(t *testing.T) {
	var c *muster.Client
	c, s := newClient(func(_ context.Context, cmd *muster.Command) error {
		for n := 1; n <= 3; n++ {
			c.DeliverStep(step(cmd.ID, n))
		}
		c.DeliverStep(step("another", 1))
		c.Deliver(result(t, cmd.ID, 5))
		return nil
	})
	b := newBank()
	var seen []int
	got, err := b.Deposit.Call(t.Context(), c, "acc-1", order{}, muster.OnProgress(func(s *muster.Step) {
		percent, err := muster.StepOf[int](s)
		if err != nil || percent != 10*s.Number {
			t.Errorf("step %+v: %d, %v", s, percent, err)
		}
		seen = append(seen, s.Number)
	}))
	if err != nil || got.Balance != 5 || len(seen) != 3 || seen[0] != 1 || seen[2] != 3 {
		t.Errorf("%+v, %v, steps %v", got, err, seen)
	}
	if _, err := b.Deposit.Call(t.Context(), c, "acc-1", order{}); err != nil {
		t.Error(err)
	}
	if !s.sent[0].WantsProgress || s.sent[1].WantsProgress {
		t.Error("progress is asked for by the wrong call")
	}
	if c.Waiting() != 0 || c.Missed() != 0 {
		t.Errorf("%d waiting, %d missed", c.Waiting(), c.Missed())
	}
}

// A caller that is too slow loses the oldest steps, sees that, and holds up nobody.
func TestSlowCallerMissesSteps(t *testing.T) {
	const sent = 1000
	var c *muster.Client
	c, _ = newClient(func(_ context.Context, cmd *muster.Command) error {
		for n := 1; n <= sent; n++ {
			c.DeliverStep(step(cmd.ID, n))
		}
		c.Deliver(result(t, cmd.ID, 5))
		return nil
	})
	var first, last, count int
	_, err := newBank().Deposit.Call(t.Context(), c, "acc-1", order{}, muster.OnProgress(func(s *muster.Step) {
		if count++; count == 1 {
			first = s.Number
		}
		last = s.Number
	}))
	if err != nil || last != sent || first == 1 || count != sent-first+1 || c.Missed() != int64(sent-count) {
		t.Errorf("%v: %d steps from %d to %d, %d missed", err, count, first, last, c.Missed())
	}
}

// A stream gives steps and then the result; whoever leaves it early leaves no waiter behind.
func TestStream(t *testing.T) {
	var c *muster.Client
	c, _ = newClient(func(_ context.Context, cmd *muster.Command) error {
		c.DeliverStep(step(cmd.ID, 1))
		c.DeliverStep(step(cmd.ID, 2))
		c.Deliver(result(t, cmd.ID, 5))
		return nil
	})
	b := newBank()
	steps, results := 0, 0
	for update, err := range b.Deposit.Stream(t.Context(), c, "acc-1", order{}) {
		switch {
		case err != nil:
			t.Error(err)
		case update.Step != nil:
			steps++
		default:
			results++
			if update.Result.Balance != 5 {
				t.Errorf("result %+v", update.Result)
			}
		}
	}
	if steps != 2 || results != 1 {
		t.Errorf("%d steps, %d results", steps, results)
	}
	for update, err := range b.Deposit.Stream(t.Context(), c, "acc-1", order{}) {
		if err != nil || update.Step == nil || update.Step.Number != 1 {
			t.Errorf("first is %+v, %v", update, err)
		}
		break
	}
	if c.Waiting() != 0 {
		t.Errorf("%d calls wait after their stream was left", c.Waiting())
	}
}

// A stream whose command is never answered ends at its deadline with what a call would have said; steps do not put it off.
func TestStreamEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := newClient(nil)
		began := time.Now()
		go func() {
			for n := 1; n <= 20; n++ {
				<-time.After(400 * time.Millisecond)
				c.DeliverStep(step("c1", n))
			}
		}()
		steps := 0
		var end error
		for update, err := range newBank().Deposit.Stream(t.Context(), c, "acc-1", order{}, muster.CommandID("c1")) {
			if update.Step != nil {
				steps++
			}
			end = err
		}
		if took := time.Since(began); steps != 12 || !errors.Is(end, muster.ErrOutcomeUnknown) || took != 5*time.Second {
			t.Errorf("%d steps, %v after %v", steps, end, took)
		}
		<-time.After(5 * time.Second) // for the goroutine above
	})
	c, _ := newClient(nil)
	c.Close()
	for update, err := range newBank().Deposit.Stream(t.Context(), c, "acc-1", order{}) {
		if update.Step != nil || !errors.Is(err, muster.ErrShuttingDown) {
			t.Errorf("%+v, %v", update, err)
		}
	}
}

// A call whose handler set no answer gets the zero value.
func TestCallWithoutAnAnswer(t *testing.T) {
	var c *muster.Client
	c, _ = newClient(func(_ context.Context, cmd *muster.Command) error {
		c.Deliver(&muster.Outcome{CommandID: cmd.ID, Revision: 3})
		return nil
	})
	var receipt muster.Receipt
	got, err := newBank().Deposit.Call(t.Context(), c, "acc-1", order{}, muster.ReceiptTo(&receipt))
	if err != nil || got.Balance != 0 || receipt.Revision != 3 {
		t.Errorf("%+v, %v, %+v", got, err, receipt)
	}
}
