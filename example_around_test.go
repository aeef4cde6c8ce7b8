package muster_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/seed-3eec0498/muster"
)

// auth refuses commands without a token. It is the same function around a handler and around a send.
func auth(next muster.Invoke) muster.Invoke {
	return func(ctx context.Context, call *muster.Invocation) (*muster.Outcome, error) {
		if _, has := call.Command.Headers.Get("token"); !has {
			return nil, muster.Errorf(muster.Unauthenticated, "%s needs a token", call.Command.Type)
		}
		return next(ctx, call)
	}
}

// Middleware of one's own, around the handler of one command type.
func ExampleMiddleware() {
	owner := newTill()
	owner.Use(muster.ForType(Sell, auth))
	client := newLoopback(owner.Behaviour())
	ctx := context.Background()
	_, err := OpenTill.Call(ctx, client, "till-1", openTill{Currency: "EUR"})
	fmt.Println(err)
	_, err = Sell.Call(ctx, client, "till-1", sell{Cents: 250})
	fmt.Println(err)
	sum, err := Sell.Call(ctx, client, "till-1", sell{Cents: 250}, muster.WithHeader("token", []byte("t")))
	fmt.Println(sum.Cents, err)
	// Output:
	// <nil>
	// UNAUTHENTICATED: tills.Sell needs a token
	// 250 <nil>
}

// Log lines without times and ids, so that they can be compared.
func ExampleLogging() {
	plain := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "took" || a.Key == "command_id" {
			return slog.Attr{}
		}
		return a
	}
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: plain}))
	owner := newTill()
	owner.Use(muster.Logging(log))
	_, err := Sell.Call(context.Background(), newLoopback(owner.Behaviour()), "till-1", sell{Cents: 250})
	fmt.Println(err)
	// Output:
	// level=INFO msg=command stage=handle group=tills type=tills.Sell code=NOT_FOUND partition=0 offset=0 attempt=1
	// NOT_FOUND: till till-1 is not open
}

// Two sales at once, and then one a second: what is too much is refused and can be sent again.
func ExampleThrottle() {
	limit, err := muster.Throttle(muster.ThrottleConfig{PerSecond: 1, Burst: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	owner := newTill()
	owner.Use(muster.ForType(Sell, limit))
	client := newLoopback(owner.Behaviour())
	ctx := context.Background()
	_, err = OpenTill.Call(ctx, client, "till-1", openTill{})
	fmt.Println(err)
	for range 3 {
		_, err = Sell.Call(ctx, client, "till-1", sell{Cents: 1})
		fmt.Println(muster.CodeOf(err))
	}
	// Output:
	// <nil>
	// OK
	// OK
	// RESOURCE_EXHAUSTED
}

// Recover tells of panics where a monitoring system can hear it. The command is refused with or without it.
func ExampleRecover() {
	owner := newTill()
	owner.Use(muster.Recover(func(_ context.Context, call *muster.Invocation, _ *muster.PanicError) {
		fmt.Println("report:", call.Command.Type)
	}), func(muster.Invoke) muster.Invoke {
		return func(context.Context, *muster.Invocation) (*muster.Outcome, error) { panic("a bug") }
	})
	_, err := Sell.Call(context.Background(), newLoopback(owner.Behaviour()), "till-1", sell{})
	fmt.Println(muster.ReasonOf(err))
	// Output:
	// report: tills.Sell
	// panic
}

// What became of a command, asked by somebody who did not wait for its answer.
func ExampleCommandType_Result() {
	client := newLoopback(newTill().Behaviour())
	ctx := context.Background()
	_, err := OpenTill.Send(ctx, client, "till-1", openTill{Currency: "EUR"}, muster.CommandID("open-1"))
	fmt.Println(err)
	opened, err := OpenTill.Result(ctx, client, "till-1", "open-1")
	fmt.Println(opened.State, opened.Value.Currency, opened.Receipt.Revision, err)
	never, err := Sell.Result(ctx, client, "till-1", "sell-1")
	fmt.Println(never.State, err)
	// Output:
	// <nil>
	// done EUR 1 <nil>
	// unknown <nil>
}

// A tracer that prints: it is told of the call, and of the handler that runs inside of it.
func ExampleTracer() {
	client := muster.NewClient(muster.ClientConfig{
		Tracer: printer{}, ReplyTo: muster.ReplyTo{Topic: "replies.example"}, Sender: &sender{each: func(context.Context, *muster.Command) error {
			return muster.Errorf(muster.PermissionDenied, "not yours")
		}},
	})
	_, err := Sell.Call(context.Background(), client, "till-1", sell{})
	fmt.Println(muster.CodeOf(err))
	// Output:
	// begin call tills.Sell
	// end PERMISSION_DENIED
	// PERMISSION_DENIED
}

type printer struct{}

func (printer) Start(ctx context.Context, s muster.SpanStart) (context.Context, muster.Span) {
	fmt.Println("begin", s.Stage, s.Type)
	return ctx, printer{}
}

func (printer) Context() muster.TraceContext { return muster.TraceContext{} }
func (printer) End(err error)                { fmt.Println("end", muster.CodeOf(err)) }

// A package that runs functions of users recovers what they panic with, and tells where that was: the value may hold a customer's data.
func ExampleNewPanicError() {
	guarded := func(fn func()) (err error) {
		defer func() {
			if v := recover(); v != nil {
				err = muster.NewPanicError(v)
			}
		}()
		fn()
		return nil
	}
	err := guarded(func() { panic("no account of ann@example.org") })
	text, _, _ := strings.Cut(err.Error(), " in ")
	fmt.Println(text)
	// Output:
	// string
}
