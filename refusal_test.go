package muster_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-3eec0498/muster"
)

// What a handler decides against is a refusal, whatever code it chose; what the toolkit has against a command is none, and neither is an
// outcome that nobody knows.
func TestIsRefusal(t *testing.T) {
	conflicting := command("deposit", "acc-1", "c1", order{Amount: 1})
	conflicting.Expected = muster.ExactRevision(9)
	late := command("deposit", "acc-1", "c1", order{Amount: 1})
	late.Deadline = epoch.Add(-1e12)
	throttled := (&muster.Outcome{Code: muster.ResourceExhausted, Reason: muster.ReasonThrottled}).Err()
	own := (&muster.Outcome{Code: muster.FailedPrecondition, Reason: "out-of-stock"}).Err()
	var none *muster.Error
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"of the business":    {overTheWire(t, nil, command("withdraw", "acc-1", "c1", order{Amount: 9})), true},
		"not now":            {overTheWire(t, nil, command("busy", "acc-1", "c1", order{})), true},
		"with its reason":    {own, true},
		"wrapped":            {fmt.Errorf("order: %w", own), true},
		"throttled":          {throttled, true},
		"done":               {overTheWire(t, nil, command("deposit", "acc-1", "c1", order{Amount: 1})), false},
		"conflict":           {overTheWire(t, nil, conflicting), false},
		"no handler":         {overTheWire(t, nil, command("nosuch", "acc-1", "c1", order{})), false},
		"expired":            {overTheWire(t, nil, late), false},
		"panic":              {(&muster.Outcome{Code: muster.Internal, Reason: muster.ReasonPanic}).Err(), false},
		"dropped":            {(&muster.Outcome{Code: muster.Internal, Reason: muster.ReasonDropped}).Err(), false},
		"out of tries":       {(&muster.Outcome{Code: muster.Unavailable, Reason: muster.ReasonRetriesExhausted}).Err(), false},
		"never sent":         {muster.CheckPayload("it", muster.MaxPayload+1), false},
		"made, not answered": {muster.Errorf(muster.NotFound, "x"), false},
		"plain":              {errors.New("x"), false},
		"a typed nil":        {none, false},
	} {
		if got := muster.IsRefusal(test.err); got != test.want {
			t.Errorf("%s: %v for %v", name, got, test.err)
		}
	}
}

// Whoever does not know the outcome has the id to ask again with, also when the toolkit made it.
func TestErrorsNameTheirCommand(t *testing.T) {
	b := newBank()
	named := func(what string, err error, s *sender) {
		t.Helper()
		e, ok := errors.AsType[*muster.Error](err)
		if !ok || len(s.sent) != 1 || e.CommandID == "" || e.CommandID != s.sent[0].ID {
			t.Errorf("%s: %+v names not %v", what, err, s.sent)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		c, s := newClient(nil)
		_, err := b.Deposit.Call(t.Context(), c, "acc-1", order{}, muster.Timeout(time.Second))
		named("timed out", err, s)
	})
	for _, way := range []string{"sent", "called"} {
		c, s := newClient(func(context.Context, *muster.Command) error { return errors.New("broken pipe") })
		var err error
		if way == "sent" {
			_, err = b.Deposit.Send(t.Context(), c, "acc-1", order{})
		} else {
			_, err = b.Deposit.Call(t.Context(), c, "acc-1", order{})
		}
		named(way, err, s)
	}
	var c *muster.Client
	c, s := newClient(func(_ context.Context, cmd *muster.Command) error {
		c.Deliver(&muster.Outcome{CommandID: cmd.ID, Code: muster.NotFound})
		return nil
	})
	_, err := b.Deposit.Call(t.Context(), c, "acc-1", order{})
	named("refused", err, s)
	c, s = newClient(func(context.Context, *muster.Command) error { c.Close(); return nil })
	_, err = b.Deposit.Call(t.Context(), c, "acc-1", order{})
	named("shut down in flight", err, s)
}
