package muster_test

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/seed-3eec0498/muster"
)

// A decide function refuses with a code, a text and details. What it emitted before is rolled back.
func ExampleDecide() {
	a := muster.NewAggregate(tills, func() till { return till{} })
	muster.Decide(a, Sell, func(_ context.Context, root *muster.Root[till], in sell) (till, error) {
		Sold.Emit(root, sold(in))
		if root.State().Cents > 1000 {
			return till{}, muster.Errorf(muster.ResourceExhausted, "till %s is full", root.ID()).With(wrapperspb.Int64(1000))
		}
		return root.State(), nil
	})
	muster.Evolve(a, Opened, func(s till, _ openTill) till { return s })
	muster.Evolve(a, Sold, func(s till, e sold) till { s.Cents += e.Cents; return s })

	ctx, client := context.Background(), newLoopback(a.Behaviour())
	for _, cents := range []int{600, 500, 400} {
		now, err := Sell.Call(ctx, client, "till-1", sell{Cents: cents})
		fmt.Println(now.Cents, err)
	}
	// Output:
	// 600 <nil>
	// 0 RESOURCE_EXHAUSTED: till till-1 is full
	// 1000 <nil>
}

// An error of a call has a code for programs and a text for people.
func ExampleErrorf() {
	err := fmt.Errorf("sell: %w", muster.Errorf(muster.NotFound, "till %s is not open", "till-9"))
	fmt.Println(err)
	fmt.Println(muster.CodeOf(err) == muster.NotFound)
	// Output:
	// sell: NOT_FOUND: till till-9 is not open
	// true
}

// An expected revision guards against a change by somebody else; the conflict tells the actual revision.
func ExampleConflictOf() {
	ctx, client := context.Background(), newLoopback(newTill().Behaviour())
	_, _ = OpenTill.Call(ctx, client, "till-1", openTill{Currency: "EUR"}, muster.MustNotExist())
	_, _ = Sell.Call(ctx, client, "till-1", sell{Cents: 1})

	_, err := Sell.Call(ctx, client, "till-1", sell{Cents: 1}, muster.ExpectRevision(1))
	if actual, conflict := muster.ConflictOf(err); conflict {
		fmt.Println("somebody was faster, the till is at revision", actual)
	}
	fmt.Println(errors.Is(err, muster.ErrConflict))
	// Output:
	// somebody was faster, the till is at revision 2
	// true
}

// A position travels to other services as a token, so that their reads can wait until they have seen it.
func ExamplePosition_Token() {
	p := muster.Position{Topic: "tills.events", Partition: 2, Offset: 41}
	token := p.Token()
	back, err := muster.ParseToken(token)
	fmt.Println(token)
	fmt.Println(back, err)
	// Output:
	// AQIpdGlsbHMuZXZlbnRz
	// tills.events[2]@41 <nil>
}

// What the business refuses is shown to whoever asked; everything else is the caller's own affair.
func ExampleIsRefusal() {
	a := muster.NewAggregate(tills, func() till { return till{} })
	muster.Decide(a, Sell, func(_ context.Context, root *muster.Root[till], _ sell) (till, error) {
		return till{}, muster.Errorf(muster.FailedPrecondition, "till %s is closed", root.ID())
	})
	ctx, client := context.Background(), newLoopback(a.Behaviour())
	_, refused := Sell.Call(ctx, client, "till-1", sell{Cents: 1})
	_, unknown := OpenTill.Call(ctx, client, "till-1", openTill{Currency: "EUR"})
	for _, err := range []error{refused, unknown} {
		fmt.Println(muster.IsRefusal(err), muster.CodeOf(err))
	}
	// Output:
	// true FAILED_PRECONDITION
	// false UNIMPLEMENTED
}

// A call that ends without an answer, here because its caller gives up, has an unknown outcome. Its error has the id of the command, which is
// sent again with it: whatever became of the first one, there is one effect.
func ExampleError_unknownOutcome() {
	ctx, giveUp := context.WithCancel(context.Background())
	line := &deaf{inner: newLoopback(newTill().Behaviour()), sent: giveUp}
	client := muster.NewClient(muster.ClientConfig{Sender: line, ReplyTo: muster.ReplyTo{Topic: "replies.example"}})

	_, err := OpenTill.Call(ctx, client, "till-1", openTill{Currency: "EUR"})
	if unknown, is := errors.AsType[*muster.Error](err); is && errors.Is(err, muster.ErrOutcomeUnknown) {
		var receipt muster.Receipt
		again := []muster.CallOption{muster.CommandID(unknown.CommandID), muster.ReceiptTo(&receipt)}
		_, err = OpenTill.Call(context.Background(), line.inner, "till-1", openTill{Currency: "EUR"}, again...)
		fmt.Println(err, "at revision", receipt.Revision, "repeated:", receipt.Repeated)
	}
	// Output:
	// <nil> at revision 1 repeated: true
}

// deaf hands commands on to an owner whose answers it does not hear.
type deaf struct {
	inner *muster.Client
	sent  func()
}

// SendCommands implements [muster.Sender].
func (d *deaf) SendCommands(ctx context.Context, g *muster.Group, cmds []*muster.Command) []error {
	defer d.sent()
	errs := make([]error, len(cmds))
	for i, cmd := range cmds {
		sent := *cmd
		errs[i] = d.inner.Send(ctx, g, &sent)
	}
	return errs
}
