package muster_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/seed-3eec0498/muster"
)

// surroundedClient makes a client with middleware around its sends.
func surroundedClient(each func(ctx context.Context, cmd *muster.Command) error, mw ...muster.Middleware) (*muster.Client, *batches) {
	s := &batches{sender: sender{each: each}}
	return muster.NewClient(muster.ClientConfig{Sender: s, ReplyTo: muster.ReplyTo{Topic: "replies.web", Partition: 5}, Middleware: mw}), s
}

// batches is a sender that notes which commands were written together.
type batches struct {
	sender
	writes [][]string
}

func (b *batches) SendCommands(ctx context.Context, g *muster.Group, cmds []*muster.Command) []error {
	var ids []string
	for _, cmd := range cmds {
		ids = append(ids, cmd.ID)
	}
	b.mu.Lock()
	b.writes = append(b.writes, ids)
	b.mu.Unlock()
	return b.sender.SendCommands(ctx, g, cmds)
}

// A call is seen once, with its outcome; a refusal is an error to the middleware and reaches the caller as it was.
func TestMiddlewareAroundCalls(t *testing.T) {
	var l trail
	b := newBank()
	var c *muster.Client
	c, _ = surroundedClient(func(_ context.Context, cmd *muster.Command) error {
		if cmd.ID == "no" {
			c.Deliver(&muster.Outcome{CommandID: "no", Code: muster.NotFound, Message: "none", Revision: 4})
			return nil
		}
		c.Deliver(result(t, cmd.ID, 5))
		return nil
	}, l.mark("one"), muster.ForType(b.Open, l.mark("open")), muster.ForType(b.Deposit, l.mark("deposit")), l.mark("two"))
	if got, err := b.Deposit.Call(t.Context(), c, "acc-1", order{}, muster.CommandID("yes")); err != nil || got.Balance != 5 {
		t.Errorf("%+v, %v", got, err)
	}
	if got, want := l.take(), "one>yes deposit>yes two>yes <two:OK <deposit:OK <one:OK"; got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	var receipt muster.Receipt
	_, err := b.Deposit.Call(t.Context(), c, "acc-1", order{}, muster.CommandID("no"), muster.ReceiptTo(&receipt))
	if e, ok := errors.AsType[*muster.Error](err); !ok || !e.Remote || e.Code != muster.NotFound || receipt.Revision != 4 {
		t.Errorf("%v, %+v", err, receipt)
	}
	if got, want := l.take(), "one>no deposit>no two>no <two:NOT_FOUND <deposit:NOT_FOUND <one:NOT_FOUND"; got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

// A middleware may change the command, refuse it, answer it and see that it is written twice; a panic is an error to the caller.
func TestMiddlewareChangesCalls(t *testing.T) {
	b := newBank()
	var c *muster.Client
	c, s := surroundedClient(func(_ context.Context, cmd *muster.Command) error {
		c.Deliver(result(t, cmd.ID, float64(len(cmd.Headers))))
		return nil
	}, replaced(func(ctx context.Context, call *muster.Invocation, next muster.Invoke) (*muster.Outcome, error) {
		switch call.Command.ID {
		case "headers":
			call.Command.Headers = append(call.Command.Headers, muster.Header{Key: "tenant", Value: []byte("t1")})
		case "reserved":
			call.Command.Headers = append(call.Command.Headers, muster.Header{Key: "ce_id"})
		case "refused":
			return nil, errors.New("circuit open")
		case "answered":
			return result(t, "answered", 9), nil
		case "nothing":
			return nil, nil
		case "twice":
			if _, err := next(ctx, call); err != nil {
				return nil, err
			}
		case "panics":
			panic("secret")
		case "panics after":
			_, _ = next(ctx, call)
			panic("secret")
		}
		return next(ctx, call)
	}))
	call := func(id string) (account, error) {
		return b.Deposit.Call(t.Context(), c, "acc-1", order{}, muster.CommandID(id))
	}
	if a, err := call("headers"); err != nil || a.Balance != 1 {
		t.Errorf("headers: %+v, %v", a, err)
	}
	if _, err := call("reserved"); muster.ReasonOf(err) != muster.ReasonReserved {
		t.Errorf("what a middleware adds is checked, too: %v", err)
	}
	if _, err := call("refused"); err == nil || err.Error() != "circuit open" {
		t.Errorf("refused: %v", err)
	}
	if a, err := call("answered"); err != nil || a.Balance != 9 {
		t.Errorf("answered: %+v, %v", a, err)
	}
	if _, err := call("nothing"); muster.CodeOf(err) != muster.Internal {
		t.Errorf("nothing: %v", err)
	}
	if a, err := call("twice"); err != nil || a.Balance != 0 {
		t.Errorf("twice: %+v, %v", a, err)
	}
	if _, err := call("panics"); muster.ReasonOf(err) != muster.ReasonPanic || errors.Is(err, muster.ErrOutcomeUnknown) {
		t.Errorf("panics: %v", err)
	}
	if _, err := call("panics after"); muster.ReasonOf(err) != muster.ReasonPanic || !errors.Is(err, muster.ErrOutcomeUnknown) {
		t.Errorf("panics after it was sent: %v", err)
	}
	if got := len(s.sent); got != 4 { // headers, twice, panics after
		t.Errorf("%d commands were written, want 4", got)
	}
	if c.Waiting() != 0 {
		t.Errorf("%d calls still wait", c.Waiting())
	}
}

// The commands of a batch pass their chains one by one, in order, and are still written at once.
func TestMiddlewareAroundSends(t *testing.T) {
	var l trail
	b := newBank()
	c, s := surroundedClient(func(_ context.Context, cmd *muster.Command) error {
		if cmd.ID == "lost" {
			return errors.New("broker gone")
		}
		return nil
	}, l.mark("one"), replaced(func(ctx context.Context, call *muster.Invocation, next muster.Invoke) (*muster.Outcome, error) {
		switch call.Command.ID {
		case "refused":
			return nil, muster.Errorf(muster.PermissionDenied, "no")
		case "panics":
			panic("secret")
		case "again":
			if _, err := next(ctx, call); err != nil {
				return nil, err
			}
		}
		return next(ctx, call)
	}))
	if _, err := b.Deposit.Send(t.Context(), c, "acc-1", order{}, muster.CommandID("single")); err != nil {
		t.Error(err)
	}
	if got, want := l.take(), "one>single <one:OK"; got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	ids := []string{"refused", "a", "lost", "panics", "again", "b", "refused"}
	var cmds []*muster.Command
	for _, id := range ids {
		cmd, err := b.Deposit.New(t.Context(), c, "acc-1", order{}, muster.CommandID(id))
		if err != nil {
			t.Fatal(err)
		}
		cmds = append(cmds, cmd)
	}
	errs := c.SendAll(t.Context(), b.Group, cmds)
	want := []muster.Code{muster.PermissionDenied, muster.OK, muster.Unavailable, muster.Internal, muster.OK, muster.OK, muster.PermissionDenied}
	for i, err := range errs {
		if muster.CodeOf(err) != want[i] {
			t.Errorf("%s: %v", ids[i], err)
		}
	}
	for _, id := range ids[1:] { // in order, each once but the one that stands twice in the batch
		if n := len(slices.DeleteFunc(slices.Clone(l.seen), func(s string) bool { return s != "one>"+id })); n != 1+map[bool]int{true: 1}[id == "refused"] {
			t.Errorf("%s was seen %d times", id, n)
		}
	}
	if len(s.writes) != 3 || !slices.Equal(s.writes[1], []string{"a", "lost", "again", "b"}) || !slices.Equal(s.writes[2], []string{"again"}) {
		t.Errorf("written: %v", s.writes)
	}
}

// A batch of any size is sent, each command once.
func TestMiddlewareAroundALargeBatch(t *testing.T) {
	b, seen := newBank(), 0
	c, s := surroundedClient(nil, replaced(func(ctx context.Context, call *muster.Invocation, next muster.Invoke) (*muster.Outcome, error) {
		seen++
		return next(ctx, call)
	}))
	cmds := make([]*muster.Command, 1300)
	for i := range cmds {
		cmd, err := b.Deposit.New(t.Context(), c, "acc-1", order{})
		if err != nil {
			t.Fatal(err)
		}
		cmds[i] = cmd
	}
	if err := errors.Join(c.SendAll(t.Context(), b.Group, cmds)...); err != nil {
		t.Error(err)
	}
	if seen != len(cmds) || len(s.sent) != len(cmds) || s.sent[700] != cmds[700] {
		t.Errorf("%d seen, %d written of %d", seen, len(s.sent), len(cmds))
	}
	if len(c.SendAll(t.Context(), b.Group, nil)) != 0 {
		t.Error("an empty batch has results")
	}
}
