package muster_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-3eec0498/muster"
)

// A call that sends a command again is not ended by the refusal of the earlier sending, where that does not hold for this one: it came too late,
// this one did not. What holds for every sending ends both.
func TestRefusalOfAnEarlierSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c *muster.Client
		var sent []*muster.Command
		c, _ = newClient(func(_ context.Context, cmd *muster.Command) error {
			if sent = append(sent, cmd); len(sent) == 1 {
				return nil
			}
			c.Deliver(&muster.Outcome{CommandID: "c1", Code: muster.DeadlineExceeded, Reason: muster.ReasonExpired, Deadline: sent[0].Deadline})
			c.Deliver(result(t, "c1", 5))
			return nil
		})
		b := newBank()
		if _, err := b.Deposit.Call(t.Context(), c, "acc-1", order{}, muster.CommandID("c1"), muster.Timeout(time.Second)); !errors.Is(err, muster.ErrOutcomeUnknown) {
			t.Fatal(err)
		}
		if got, err := b.Deposit.Call(t.Context(), c, "acc-1", order{}, muster.CommandID("c1")); err != nil || got.Balance != 5 {
			t.Errorf("%+v, %v", got, err)
		}
		if c.Late() != 1 || c.Waiting() != 0 {
			t.Errorf("%d late, %d waiting", c.Late(), c.Waiting())
		}
	})
	var c *muster.Client
	c, _ = newClient(func(_ context.Context, cmd *muster.Command) error {
		c.Deliver(&muster.Outcome{CommandID: "c1", Code: muster.DeadlineExceeded, Reason: muster.ReasonExpired, Deadline: cmd.Deadline.Truncate(time.Millisecond)})
		return nil
	})
	if _, err := newBank().Deposit.Call(t.Context(), c, "acc-1", order{}, muster.CommandID("c1")); !errors.Is(err, muster.ErrExpired) {
		t.Errorf("its own refusal: %v", err)
	}
}

// The owner says of a refusal which sending it is for, unless it is the answer to every one.
func TestRefusalsSayWhichSendingTheyAreFor(t *testing.T) {
	w := newWorld(t, newBank().behaviour())
	deadline := w.now.Add(time.Minute)
	with := func(cmd muster.Command) muster.Command { cmd.Deadline = deadline; return cmd }
	late := with(command("deposit", "acc-1", "late", order{}))
	late.Deadline = w.now.Add(-time.Minute)
	f := w.do(late, with(command("open", "acc-1", "done", order{})), with(command("withdraw", "acc-1", "refused", order{Amount: 1})),
		with(command("explode", "acc-1", "panic", order{})), with(command("busy", "acc-1", "busy", order{})), with(command("reject", "acc-1", "event", order{})))
	f.replies = append(f.replies, w.do(with(command("withdraw", "acc-1", "refused", order{Amount: 1}))).replies...)
	want := map[string]time.Time{"late": late.Deadline, "panic": deadline, "busy": deadline, "done": {}, "refused": {}, "event": {}}
	for _, r := range f.replies {
		if !r.Deadline.Equal(want[r.CommandID]) {
			t.Errorf("%s: %v, want %v", r.CommandID, r.Deadline, want[r.CommandID])
		}
	}
	if len(f.replies) != 7 {
		t.Errorf("%d replies", len(f.replies))
	}
}

// A handler that passes on what a callee failed at has not decided its own command for good.
func TestCalleeThatFailedIsNoAnswerForGood(t *testing.T) {
	o, runs := newOffice(), 0
	answer := &muster.Outcome{Code: muster.DeadlineExceeded, Reason: muster.ReasonExpired}
	var c *muster.Client
	c, _ = newClient(func(_ context.Context, cmd *muster.Command) error {
		mine := *answer
		mine.CommandID = cmd.ID
		c.Deliver(&mine)
		return nil
	})
	w := o.handled(t, func(ctx context.Context, _ *muster.Command, _ order, w muster.Writer) (account, error) {
		runs++
		_, err := o.Send.Call(ctx, w.Client(), "box", order{})
		return account{}, err
	})
	w.config.Client = c
	w.restart()
	if got := w.do(command("register", "u-1", "c1", order{})).outcome(t, "c1", 0); got.Code != muster.DeadlineExceeded || !got.Retry {
		t.Errorf("%+v", got)
	}
	answer = &muster.Outcome{Code: muster.FailedPrecondition, Message: "the callee's word"}
	for range 2 { // the callee's own refusal is one
		if got := w.do(command("register", "u-1", "c1", order{})).outcome(t, "c1", 0); got.Code != muster.FailedPrecondition || got.Retry {
			t.Errorf("%+v", got)
		}
	}
	if runs != 2 {
		t.Errorf("%d runs, want 2", runs)
	}
}
