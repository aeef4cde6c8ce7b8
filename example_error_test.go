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
