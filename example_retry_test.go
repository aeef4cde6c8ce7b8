package muster_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-3eec0498/muster"
)

// What a handler needs may not be there now: it asks to be called again, and says when that makes sense. Without [muster.RetryAfter] the wait
// grows with each try. Package service has an example that runs.
func ExampleRetryLater() {
	rate := func() (float64, error) { return 0, errors.New("the rates of today are not there yet") }

	decide := func(context.Context) error {
		if _, err := rate(); err != nil {
			return muster.RetryLater(err, muster.RetryAfter(2*time.Second), muster.RetryWithin(5*time.Minute))
		}
		return nil
	}
	err := decide(context.Background())
	fmt.Println(err)
	fmt.Println(muster.CodeOf(err) == muster.Unavailable)
	// Output:
	// UNAVAILABLE: the rates of today are not there yet
	// true
}

// A command that no retry can help is given up at once: its caller is told, it becomes a dead letter, and the next one proceeds.
func ExampleDrop() {
	a := muster.NewAggregate(tills, func() till { return till{} })
	muster.Decide(a, Sell, func(_ context.Context, root *muster.Root[till], in sell) (till, error) {
		if in.Cents < 0 {
			return till{}, muster.Drop("a sale below zero; the register that sent it is broken")
		}
		Sold.Emit(root, sold(in))
		return root.State(), nil
	})
	muster.Evolve(a, Opened, func(s till, _ openTill) till { return s })
	muster.Evolve(a, Sold, func(s till, e sold) till { s.Cents += e.Cents; return s })

	ctx, client := context.Background(), newLoopback(a.Behaviour())
	_, err := Sell.Call(ctx, client, "till-1", sell{Cents: -5})
	fmt.Println(muster.ReasonOf(err), "-", err)
	now, err := Sell.Call(ctx, client, "till-1", sell{Cents: 5})
	fmt.Println(now.Cents, err)
	// Output:
	// dropped - INTERNAL: a sale below zero; the register that sent it is broken
	// 5 <nil>
}

// The zero value has defaults: ten executions within a minute. A policy is checked where it is used.
func ExampleRetryPolicy() {
	p := muster.RetryPolicy{Attempts: 20, Within: 10 * time.Minute, First: time.Second, Longest: time.Minute}
	fmt.Println(p.Validate())
	p.First = time.Nanosecond
	fmt.Println(p.Validate())
	// Output:
	// <nil>
	// retry policy: First is 1ns; zero means the default, else at least 1ms
}
