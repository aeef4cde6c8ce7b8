package muster_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/seed-3eec0498/muster"
)

// overTheWire takes a command to an owner and its outcome back to a caller, through bytes, and gives what the caller sees.
//
//nolint:contextcheck // the world decides without I/O, its context is a test's own
func overTheWire(t *testing.T, prepare func(w *world), cmd muster.Command) error {
	t.Helper()
	w := newWorld(t, newBank().Account.Behaviour())
	opened(w, "acc-1")
	if prepare != nil {
		prepare(w)
	}
	deadline := cmd.Deadline // Call sets its own, on the clock of this process; the world's stands still
	var c *muster.Client
	c, _ = newClient(func(_ context.Context, sent *muster.Command) error {
		arrived := *sent
		arrived.Deadline = deadline
		o := w.do(arrived).outcome(t, sent.ID, 0)
		back, err := muster.DecodeOutcome(o.Encode(nil))
		if err != nil {
			return err
		}
		back.CommandID = sent.ID
		c.Deliver(back)
		return nil
	})
	o, err := c.Call(t.Context(), newBank().Group, &cmd)
	if err != nil {
		return err
	}
	return o.Err()
}

// Everything a caller must be able to tell apart (design 4), told apart by code and sentinel after the way over the wire.
func TestOutcomesAreToldApart(t *testing.T) {
	expect := command("deposit", "acc-1", "c1", order{Amount: 1})
	expect.Expected = muster.ExactRevision(9)
	late := command("deposit", "acc-1", "c1", order{Amount: 1})
	late.Deadline = epoch.Add(-1e12)
	reused := func(w *world) { w.do(command("deposit", "acc-1", "c1", order{Amount: 5})) }

	checkError(t, overTheWire(t, nil, expect), muster.Aborted, muster.ErrConflict, false)
	checkError(t, overTheWire(t, nil, command("nosuch", "acc-1", "c1", order{})), muster.Unimplemented, muster.ErrNoHandler, false)
	if err := overTheWire(t, nil, late); muster.CodeOf(err) != muster.DeadlineExceeded || !errors.Is(err, muster.ErrExpired) || errors.Is(err, muster.ErrOutcomeUnknown) {
		t.Errorf("too late: %v", err)
	}
	checkError(t, overTheWire(t, reused, command("deposit", "acc-1", "c1", order{Amount: 1})), muster.InvalidArgument, muster.ErrIDReused, false)
	if actual, ok := muster.ConflictOf(overTheWire(t, nil, expect)); !ok || actual != 1 {
		t.Errorf("actual revision %d, %v; want 1", actual, ok)
	}

	refused := overTheWire(t, nil, command("withdraw", "acc-1", "c1", order{Amount: 9}))
	e, ok := errors.AsType[*muster.Error](refused)
	if !ok || e.Code != muster.FailedPrecondition || !e.Remote || e.Retry || e.Reason != "" || errors.Unwrap(refused) != nil {
		t.Errorf("refused by the business: %+v", e)
	}
	if _, ok := muster.ConflictOf(refused); ok {
		t.Error("a refusal passes for a conflict")
	}
	if err := overTheWire(t, nil, command("deposit", "acc-1", "c1", order{Amount: 1})); err != nil {
		t.Errorf("done: %v", err)
	}
	if err := overTheWire(t, nil, command("busy", "acc-1", "c1", order{})); muster.CodeOf(err) != muster.Unavailable || errors.Is(err, muster.ErrShuttingDown) {
		t.Errorf("a handler's own Unavailable: %v", err)
	} else if e, _ := errors.AsType[*muster.Error](err); !e.Retry {
		t.Error("that a retry can help was lost on the way")
	}
}

func TestCodeOfIsTotal(t *testing.T) {
	var none *muster.Error
	for name, test := range map[string]struct {
		err  error
		want muster.Code
	}{
		"nil":              {nil, muster.OK},
		"typed":            {muster.Errorf(muster.NotFound, "x"), muster.NotFound},
		"wrapped":          {fmt.Errorf("a: %w", muster.Errorf(muster.NotFound, "x")), muster.NotFound},
		"joined":           {errors.Join(errors.New("a"), muster.Errorf(muster.NotFound, "x")), muster.NotFound},
		"cancelled":        {context.Canceled, muster.Cancelled},
		"deadline":         {fmt.Errorf("a: %w", context.DeadlineExceeded), muster.DeadlineExceeded},
		"plain":            {errors.New("x"), muster.Unknown},
		"a typed nil":      {none, muster.Unknown},
		"a wrapped nil":    {fmt.Errorf("a: %w", none), muster.Unknown},
		"a code of others": {muster.Errorf(99, "x"), 99},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if v := recover(); v != nil {
					t.Errorf("panics: %v", v)
				}
			}()
			if name == "a wrapped nil" {
				test.err = wrapping{none}
			}
			if got := muster.CodeOf(test.err); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			_, _ = muster.ConflictOf(test.err)
			_, _ = muster.DetailOf[*structpb.Struct](test.err)
			if reason := muster.ReasonOf(test.err); reason != "" {
				t.Errorf("reason %q", reason)
			}
		})
	}
}

// wrapping wraps an error without asking it for its text.
type wrapping struct{ inner error }

func (w wrapping) Error() string { return "wrapped" }
func (w wrapping) Unwrap() error { return w.inner }

// A handler that returns a typed nil, Go's classic mistake, has not panicked and is not done either.
func TestHandlerThatReturnsATypedNil(t *testing.T) {
	w := newHooked(t, func(_ context.Context, b *bank, root *muster.Root[account], _ order) (account, error) {
		b.Credited.Emit(root, moved{Amount: 1})
		var none *muster.Error
		return root.State(), none
	})
	f := w.do(command("hooked", "acc-1", "c1", order{}))
	if o := f.outcome(t, "c1", 0); o.Code == muster.OK || o.Reason == muster.ReasonPanic || len(f.decision.Events) != 0 {
		t.Errorf("got %s %s %q, %d events", o.Code, o.Reason, o.Message, len(f.decision.Events))
	}
}

func TestDetails(t *testing.T) {
	e := muster.Errorf(muster.OutOfRange, "%d is over %d", 5, 3).With(wrapperspb.String("first"), wrapperspb.Int64(3)).With(wrapperspb.String("second"))
	if e.Error() != "OUT_OF_RANGE: 5 is over 3" || len(e.Details) != 3 {
		t.Errorf("%v, %d details", e, len(e.Details))
	}
	err := fmt.Errorf("outer: %w", e)
	if s, ok := muster.DetailOf[*wrapperspb.StringValue](err); !ok || s.Value != "first" {
		t.Errorf("got %v, %v", s, ok)
	}
	if n, ok := muster.DetailOf[*wrapperspb.Int64Value](err); !ok || n.Value != 3 {
		t.Errorf("got %v, %v", n, ok)
	}
	if d, ok := muster.DetailOf[*wrapperspb.BoolValue](err); ok || d != nil {
		t.Errorf("got %v, %v", d, ok)
	}
	if d, ok := muster.DetailOf[*wrapperspb.BoolValue](errors.New("plain")); ok || d != nil {
		t.Errorf("got %v, %v", d, ok)
	}
}

func TestCodesAreGRPCs(t *testing.T) {
	for code, want := range map[muster.Code]string{
		0: "OK", 1: "CANCELLED", 2: "UNKNOWN", 3: "INVALID_ARGUMENT", 4: "DEADLINE_EXCEEDED", 5: "NOT_FOUND", 6: "ALREADY_EXISTS",
		7: "PERMISSION_DENIED", 8: "RESOURCE_EXHAUSTED", 9: "FAILED_PRECONDITION", 10: "ABORTED", 11: "OUT_OF_RANGE", 12: "UNIMPLEMENTED",
		13: "INTERNAL", 14: "UNAVAILABLE", 15: "DATA_LOSS", 16: "UNAUTHENTICATED",
	} {
		if code.String() != want || !code.Valid() {
			t.Errorf("code %d is %s, valid %v; want %s", code, code, code.Valid(), want)
		}
	}
	if c := muster.Code(17); c.String() != "CODE_17" || c.Valid() {
		t.Errorf("code 17 is %s, valid %v", c, c.Valid())
	}
}

// A caller whose result type is another than the owner's learns that the command was done.
func TestResultOfAnotherType(t *testing.T) {
	var c *muster.Client
	c, _ = newClient(func(_ context.Context, cmd *muster.Command) error {
		o := result(t, cmd.ID, 1)
		o.ContentType = muster.ContentProtobuf
		c.Deliver(o)
		return nil
	})
	_, err := newBank().Deposit.Call(t.Context(), c, "acc-1", order{})
	if muster.CodeOf(err) != muster.Internal || muster.ReasonOf(err) != muster.ReasonBadResult {
		t.Errorf("got %v (%s)", err, muster.ReasonOf(err))
	}
}

// The repeat of a command whose result was too large to keep is told apart from a refusal: it was done, and the receipt says when.
func TestOmittedResultIsTold(t *testing.T) {
	var c *muster.Client
	c, _ = newClient(func(_ context.Context, cmd *muster.Command) error {
		o := result(t, cmd.ID, 1)
		o.Payload, o.Omitted, o.Repeated = nil, true, true
		c.Deliver(o)
		return nil
	})
	var receipt muster.Receipt
	_, err := newBank().Deposit.Call(t.Context(), c, "acc-1", order{}, muster.ReceiptTo(&receipt))
	if err == nil || muster.ReasonOf(err) != "result-omitted" || receipt.Revision != 7 || receipt.Position.Offset != 41 || !receipt.Repeated {
		t.Errorf("got %v, receipt %+v", err, receipt)
	}
}
