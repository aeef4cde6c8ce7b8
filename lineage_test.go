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

// calling is a world whose handler for "register" runs fn, with a client whose commands are answered at once and kept.
func calling(t *testing.T, o *office, fn func(ctx context.Context, cmd *muster.Command, in order, w muster.Writer) (account, error)) (*world, *sender) {
	t.Helper()
	var c *muster.Client
	c, s := newClient(func(_ context.Context, cmd *muster.Command) error {
		if cmd.ReplyTo.Topic != "" {
			c.Deliver(&muster.Outcome{CommandID: cmd.ID, ContentType: muster.ContentRaw, Payload: []byte("ok")})
		}
		return nil
	})
	w := o.handled(t, fn)
	w.config.Client = c
	w.restart()
	return w, s
}

// What a handler calls and sends inherits from the command in hand, whatever way it goes; the remaining deadline travels.
func TestCallsOfAHandlerInherit(t *testing.T) {
	o := newOffice()
	w, s := calling(t, o, func(ctx context.Context, _ *muster.Command, _ order, w muster.Writer) (account, error) {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		_, called := o.Send.Call(ctx, w.Client(), "box-1", order{}, muster.Timeout(2*time.Minute)) // of its own it has more than its context
		_, sent := o.Send.Send(ctx, w.Client(), "box-1", order{})
		_, free := o.Send.Send(ctx, w.Client(), "box-1", order{}, muster.NoDeadline())
		one, err := o.Send.New(ctx, w.Client(), "box-2", order{})
		return account{}, errors.Join(called, sent, free, err, errors.Join(w.Client().SendAll(ctx, o.Mail, []*muster.Command{one})...))
	})
	cmd := command("register", "u-1", "c1", order{})
	cmd.CorrelationID, cmd.Headers, cmd.Hops, cmd.Path = "talk", muster.Headers{{Key: "tenant", Value: []byte("t")}}, 2, []string{"far"}
	cmd.Deadline = w.now.Add(time.Minute)
	before := time.Now()
	if got := w.do(cmd).outcome(t, "c1", 0); got.Code != muster.OK || len(s.sent) != 4 {
		t.Fatalf("%+v, %d sent", got, len(s.sent))
	}
	for i, c := range s.sent {
		if c.CorrelationID != "talk" || c.CausationID != "c1" || len(c.Headers) != 1 || c.Hops != 3 {
			t.Errorf("command %d: %+v", i, c)
		}
	}
	// what the context has, neither the two minutes of the call nor the one of the command
	if left := s.sent[0].Deadline.Sub(before); left < 15*time.Second || left > 25*time.Second || !slices.Equal(s.sent[0].Path, []string{"far", "accounts"}) {
		t.Errorf("call: %v left, path %v", left, s.sent[0].Path)
	}
	if c := s.sent[1]; !c.Deadline.Equal(cmd.Deadline) || c.Path != nil {
		t.Errorf("send: %v, path %v", c.Deadline, c.Path)
	}
	if !s.sent[2].Deadline.IsZero() {
		t.Errorf("send without deadline: %v", s.sent[2].Deadline)
	}
}

// A call that would wait for itself is refused with the way it would have gone; sending and writing there is no waiting.
func TestCallCycleIsRefused(t *testing.T) {
	o := newOffice()
	back := muster.NewCommand[order, muster.Raw](muster.NewGroup("far"), "back")
	w, s := calling(t, o, func(ctx context.Context, _ *muster.Command, in order, w muster.Writer) (account, error) {
		switch in.Text {
		case "self":
			_, err := o.Register.Call(ctx, w.Client(), "u-2", order{})
			return account{}, err
		case "far":
			_, err := back.Call(ctx, w.Client(), "x", order{})
			return account{}, err
		}
		_, sent := back.Send(ctx, w.Client(), "x", order{})
		return account{}, errors.Join(sent, o.Register.Write(w, "u-2", order{}), back.Write(w, "x", order{}))
	})
	for text, path := range map[string]string{"self": "far -> near -> accounts -> accounts", "far": "far -> near -> accounts -> far"} {
		cmd := command("register", "u-1", text, order{Text: text})
		cmd.Hops, cmd.Path = 2, []string{"far", "near"}
		got := w.do(cmd).outcome(t, text, 0)
		if got.Code != muster.FailedPrecondition || got.Reason != muster.ReasonCallCycle || !strings.Contains(got.Message, path) {
			t.Errorf("%s: %+v", text, got)
		}
	}
	if len(s.sent) != 0 {
		t.Errorf("%d commands were sent", len(s.sent))
	}
	cmd := command("register", "u-1", "c1", order{})
	cmd.Hops, cmd.Path = 2, []string{"far", "near"}
	if f := w.do(cmd); f.outcome(t, "c1", 0).Code != muster.OK || len(f.decision.Commands) != 2 || len(s.sent) != 1 {
		t.Errorf("%+v", f.outcome(t, "c1", 0))
	}
}

// A chain of handlers that send commands ends.
func TestEndlessChainIsRefused(t *testing.T) {
	o := newOffice()
	w, s := calling(t, o, func(ctx context.Context, cmd *muster.Command, in order, w muster.Writer) (account, error) {
		switch in.Text {
		case "call":
			_, err := o.Send.Call(ctx, w.Client(), "box", order{})
			return account{}, err
		case "send":
			_, err := o.Send.Send(ctx, w.Client(), "box", order{})
			return account{}, err
		case "by hand":
			made := command("send", "box", "hand", order{})
			return account{}, w.Client().Send(ctx, o.Mail, &made)
		}
		return account{}, o.Send.Write(w, "box", order{})
	})
	for _, text := range []string{"call", "send", "by hand", "write"} {
		cmd := command("register", "u-1", text, order{Text: text})
		cmd.Hops = muster.MaxHops
		if f := w.do(cmd); f.outcome(t, text, 0).Reason != muster.ReasonTooManyHops || len(f.decision.Commands)+len(s.sent) != 0 {
			t.Errorf("%s: %+v", text, f.outcome(t, text, 0))
		}
	}
}

// A handler that runs again sends under the same ids, also when it sends side by side in whatever order.
func TestDerivedIDsDoNotDependOnOrder(t *testing.T) {
	o, turn := newOffice(), false
	w, s := calling(t, o, func(ctx context.Context, _ *muster.Command, _ order, w muster.Writer) (account, error) {
		boxes := []string{"a", "b", "c", "c"}
		if turn {
			slices.Reverse(boxes)
		}
		var all sync.WaitGroup
		for _, box := range boxes {
			all.Go(func() {
				if _, err := o.Send.Call(ctx, w.Client(), box, order{}); err != nil {
					t.Error(err)
				}
			})
			if !turn {
				all.Wait()
			}
		}
		all.Wait()
		return account{}, nil
	})
	seen := func() map[string][]string {
		ids := map[string][]string{}
		for _, c := range s.sent {
			ids[c.AggregateID] = append(ids[c.AggregateID], c.ID)
		}
		for _, some := range ids {
			slices.Sort(some)
		}
		s.sent = nil
		return ids
	}
	batch := w.batch(command("register", "u-1", "c1", order{}))
	round, _ := w.decide(batch, nil)
	first := seen()
	round.Abort()
	turn, batch.Attempt = true, 2
	w.decide(batch, nil)
	second := seen()
	if len(first["c"]) != 2 || first["c"][0] == first["c"][1] {
		t.Errorf("two calls of one aggregate: %v", first["c"])
	}
	for box, ids := range first {
		if !slices.Equal(ids, second[box]) {
			t.Errorf("%s: first %v, then %v", box, ids, second[box])
		}
	}
}

// Without a client there is an error, no panic.
func TestNoClient(t *testing.T) {
	if _, err := newOffice().Send.Call(t.Context(), nil, "box", order{}); muster.CodeOf(err) != muster.FailedPrecondition {
		t.Errorf("%v", err)
	}
}
